namespace Finery.Models;

/// <summary>A change of the rotary frequencies for contexts longer than trained on (pretraining reference 1.3).</summary>
/// <param name="Factor">Divisor of the low frequencies.</param>
/// <param name="OriginalSequenceLength">Context of the original training, in tokens.</param>
public abstract record RopeScaling(double Factor, int OriginalSequenceLength)
{
    /// <summary>What is wrong, or null.</summary>
    internal virtual string? Fault =>
        Factor >= 1 && double.IsFinite(Factor) && OriginalSequenceLength > 0 ? null : "needs factor >= 1 and a positive original context.";
}

/// <summary>Llama 3.1's: by wavelength, kept below one bound, divided above another, blended between.</summary>
/// <param name="Factor">Divisor of the low frequencies.</param>
/// <param name="LowFrequencyFactor">Wavelengths above <c>OriginalSequenceLength / this</c> are divided.</param>
/// <param name="HighFrequencyFactor">Wavelengths below <c>OriginalSequenceLength / this</c> are kept.</param>
/// <param name="OriginalSequenceLength">Context of the original training, in tokens.</param>
public sealed record Llama3Scaling(double Factor, double LowFrequencyFactor, double HighFrequencyFactor, int OriginalSequenceLength)
    : RopeScaling(Factor, OriginalSequenceLength)
{
    internal override string? Fault =>
        LowFrequencyFactor > 0 && HighFrequencyFactor > LowFrequencyFactor && double.IsFinite(HighFrequencyFactor)
            ? base.Fault : "needs 0 < low_freq_factor < high_freq_factor.";
}

/// <summary>YaRN (Peng et al. 2023): by the index of the frequency, kept below one bound, divided above another, blended between;
/// cosines and sines are multiplied by <see cref="Amplitude"/>, so scores by its square.</summary>
/// <param name="Factor">Divisor of the low frequencies.</param>
/// <param name="OriginalSequenceLength">Context of the original training, in tokens.</param>
public sealed record YarnScaling(double Factor, int OriginalSequenceLength) : RopeScaling(Factor, OriginalSequenceLength)
{
    /// <summary><c>beta_fast</c>: frequencies that turn more often than this within the original context are kept.</summary>
    public double FastTurns { get; init; } = 32;

    /// <summary><c>beta_slow</c>: frequencies that turn less often than this are divided.</summary>
    public double SlowTurns { get; init; } = 1;

    /// <summary><c>attention_factor</c>, in place of the default <see cref="Amplitude"/>.</summary>
    public double? AttentionFactor { get; init; }

    /// <summary>Factor on cosines and sines: <c>0.1 ln(factor) + 1</c> unless given.</summary>
    public double Amplitude => AttentionFactor ?? 0.1 * Math.Log(Factor) + 1;

    internal override string? Fault =>
        SlowTurns > 0 && FastTurns > SlowTurns && double.IsFinite(FastTurns) && Amplitude > 0 && double.IsFinite(Amplitude)
            ? base.Fault : "needs 0 < beta_slow < beta_fast and a positive attention_factor.";
}

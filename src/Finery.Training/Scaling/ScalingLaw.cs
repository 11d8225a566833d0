namespace Finery.Training.Scaling;

/// <summary>
/// Loss of a model of N parameters after D tokens, <c>E + A / N^alpha + B / D^beta</c> (Hoffmann et al. 2022, approach 3). N counts
/// all parameters. The figures of one corpus and tokenizer say little about the loss on another: between models of very different
/// size they rank, they do not predict.
/// </summary>
/// <param name="E">Loss that no size removes, nats per token.</param>
/// <param name="A">Scale of the size term.</param>
/// <param name="Alpha">Exponent of the size.</param>
/// <param name="B">Scale of the data term.</param>
/// <param name="Beta">Exponent of the data.</param>
public sealed record ScalingLaw(double E, double A, double Alpha, double B, double Beta)
{
    /// <summary>Epochs after which a repeated token is worth 1/e of a new one (Muennighoff et al. 2023, R*_D).</summary>
    public const double RepetitionDecay = 15.387756;

    /// <summary>As published by Hoffmann et al. 2022.</summary>
    public static ScalingLaw Chinchilla { get; } = new(1.69, 406.4, 0.34, 410.7, 0.28);

    /// <summary>The same experiments fitted again by Besiroglu et al. 2024, who found the published fit inconsistent with them; this
    /// one gives the rule of about 20 tokens per parameter.</summary>
    public static ScalingLaw Refit { get; } = new(1.8172, 482.01, 0.3478, 2085.43, 0.3658);

    /// <summary>Constants fitted to models of 0.35 to 1.2 M parameters and 0.6 to 2.2 M tokens of the .NET documentation with a vocabulary
    /// of 4,096 (docs/measurements.md), exponents of <see cref="Refit"/>.</summary>
    public static ScalingLaw DotNetDocumentation { get; } = Refit with { E = 0.357, A = 84.06, B = 335.4 };

    /// <summary>Loss in nats per token.</summary>
    /// <param name="parameters">N.</param>
    /// <param name="tokens">D, repetitions included.</param>
    /// <param name="uniqueTokens">Distinct tokens to train on; more than <paramref name="tokens"/> means no repetition.</param>
    public double Loss(double parameters, double tokens, double uniqueTokens = double.PositiveInfinity)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(parameters);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(tokens);
        return E + A / Math.Pow(parameters, Alpha) + B / Math.Pow(EffectiveTokens(tokens, uniqueTokens), Beta);
    }

    /// <summary>New tokens worth as much as <paramref name="tokens"/> drawn from <paramref name="uniqueTokens"/> again and again:
    /// <c>U + U R* (1 - exp(-R / R*))</c>, R the epochs beyond the first.</summary>
    public static double EffectiveTokens(double tokens, double uniqueTokens)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(uniqueTokens);
        if (tokens <= uniqueTokens) return tokens;
        double repetitions = tokens / uniqueTokens - 1;
        return uniqueTokens * (1 + RepetitionDecay * (1 - Math.Exp(-repetitions / RepetitionDecay)));
    }

    /// <summary>Size and tokens of the lowest loss for a budget of <c>C = 6 N D</c> operations.</summary>
    public (double Parameters, double Tokens) Optimum(double operations)
    {
        double g = Math.Pow(Alpha * A / (Beta * B), 1 / (Alpha + Beta));
        double half = operations / 6;
        return (g * Math.Pow(half, Beta / (Alpha + Beta)), Math.Pow(half, Alpha / (Alpha + Beta)) / g);
    }
}

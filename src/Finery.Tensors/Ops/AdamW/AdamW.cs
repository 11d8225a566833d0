namespace Finery.Tensors;

/// <summary>Scalars of one AdamW update (Loshchilov and Hutter 2019, decoupled decay; pretraining reference 2.1).</summary>
/// <param name="LearningRate">Step size.</param>
/// <param name="Beta1">Decay of the first moment.</param>
/// <param name="Beta2">Decay of the second moment.</param>
/// <param name="Epsilon">Added after the bias-corrected root.</param>
/// <param name="WeightDecay">Decoupled: the weight is multiplied by <c>1 - LearningRate WeightDecay</c>.</param>
/// <param name="Step">Number of this update, from 1.</param>
/// <param name="GradientScale">Factor applied to the gradient first: clipping.</param>
/// <param name="Rounding">Of a BF16 weight without master; new for every update and tensor.</param>
public readonly record struct AdamWSettings(
    float LearningRate, float Beta1, float Beta2, float Epsilon, float WeightDecay, long Step, float GradientScale,
    StochasticRounding Rounding = default);

public abstract partial class Kernels
{
    /// <summary>One fused update: <c>p *= 1 - lr wd</c>; <c>m = b1 m + (1-b1) g</c>; <c>v = b2 v + (1-b2) g^2</c>;
    /// <c>p -= lr/(1-b1^t) m / (sqrt(v/(1-b2^t)) + eps)</c>; then the gradient is set to zero for the next step.</summary>
    /// <param name="weight">Parameter, updated.</param>
    /// <param name="master">What a BF16 weight keeps beside it. F32: the exact p, of which the weight is the nearest BF16. U16: the low
    /// halves, so that weight and master together are the exact p, of which the weight is the truncation. Null: nothing; p is the weight,
    /// rounded stochastically.</param>
    /// <param name="gradient">F32, same shape; consumed: left zero.</param>
    /// <param name="firstMoment">F32, same shape, updated.</param>
    /// <param name="secondMoment">F32, same shape, updated.</param>
    /// <param name="settings">Scalars of the update.</param>
    public void AdamW(
        Tensor weight, Tensor? master, Tensor gradient, Tensor firstMoment, Tensor secondMoment, in AdamWSettings settings)
    {
        Check(weight, weight.Rows, weight.Columns);
        Check(gradient, weight.Rows, weight.Columns, DType.F32);
        Check(firstMoment, weight.Rows, weight.Columns, DType.F32);
        Check(secondMoment, weight.Rows, weight.Columns, DType.F32);
        CheckMaster(weight, master);
        ArgumentOutOfRangeException.ThrowIfLessThan(settings.Step, 1);
        long bytes = weight.ByteLength + (master?.ByteLength ?? 0) + gradient.ByteLength + firstMoment.ByteLength + secondMoment.ByteLength;
        using var scope = Measure(weight, 12.0 * weight.Length, 2.0 * bytes);
        AdamWCore(weight, master, gradient, firstMoment, secondMoment, settings);
    }

    /// <inheritdoc cref="AdamW(Tensor, Tensor?, Tensor, Tensor, Tensor, in AdamWSettings)"/>
    public void AdamW(Tensor weight, Tensor gradient, Tensor firstMoment, Tensor secondMoment, in AdamWSettings settings) =>
        AdamW(weight, null, gradient, firstMoment, secondMoment, settings);

    private protected abstract void AdamWCore(
        Tensor weight, Tensor? master, Tensor gradient, Tensor firstMoment, Tensor secondMoment, in AdamWSettings settings);
}

namespace Finery.Tensors;

/// <summary>Scalars of one update by gradient descent.</summary>
/// <param name="LearningRate">Step size.</param>
/// <param name="Momentum">mu; 0 for none.</param>
/// <param name="WeightDecay">Decoupled, as for AdamW: the weight is multiplied by <c>1 - LearningRate WeightDecay</c>.</param>
/// <param name="GradientScale">Factor applied to the gradient first: clipping.</param>
/// <param name="Nesterov">Whether the update looks one step of momentum ahead.</param>
/// <param name="Rounding">Of a BF16 weight without master; new for every update and tensor.</param>
public readonly record struct SgdSettings(
    float LearningRate, float Momentum, float WeightDecay, float GradientScale = 1, bool Nesterov = false,
    StochasticRounding Rounding = default);

public abstract partial class Kernels
{
    /// <summary>One fused update: <c>B = mu B + g</c>; <c>U = g + mu B</c> (Nesterov) or <c>B</c>; <c>p *= 1 - lr wd</c>; <c>p -= lr U</c>;
    /// then the gradient is set to zero for the next step.</summary>
    /// <param name="weight">F32 or BF16, updated.</param>
    /// <param name="master">What a BF16 weight keeps beside it, as for AdamW; null for nothing.</param>
    /// <param name="gradient">F32, same shape; consumed: left zero.</param>
    /// <param name="momentum">F32, same shape: B, updated; null for descent without momentum.</param>
    /// <param name="settings">Scalars of the update.</param>
    public void Sgd(Tensor weight, Tensor? master, Tensor gradient, Tensor? momentum, in SgdSettings settings)
    {
        Check(weight, weight.Rows, weight.Columns);
        CheckMaster(weight, master);
        Check(gradient, weight.Rows, weight.Columns, DType.F32);
        if (momentum is not null) Check(momentum, weight.Rows, weight.Columns, DType.F32);
        else if (settings.Momentum != 0) throw new ArgumentException($"Sgd: a momentum of {settings.Momentum} needs its tensor.", nameof(momentum));
        long bytes = weight.ByteLength + (master?.ByteLength ?? 0) + gradient.ByteLength + (momentum?.ByteLength ?? 0);
        using var scope = Measure(weight, 6.0 * weight.Length, 2.0 * bytes);
        SgdCore(weight, master, gradient, momentum, settings);
    }

    private protected abstract void SgdCore(Tensor weight, Tensor? master, Tensor gradient, Tensor? momentum, in SgdSettings settings);
}

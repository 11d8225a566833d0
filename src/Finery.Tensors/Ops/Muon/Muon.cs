namespace Finery.Tensors;

/// <summary>Factor on an orthogonal update, by the shape of the matrix.</summary>
public enum MuonScale
{
    /// <summary><c>0.2 sqrt(max(rows, columns))</c>: elements of about 0.2, so that learning rate and decay of AdamW fit
    /// (Moonlight).</summary>
    Moonlight,

    /// <summary><c>sqrt(max(1, rows / columns))</c>: spectral units, learning rates around 0.02 (Keller Jordan).</summary>
    Keller,
}

/// <summary>Scalars of one Muon update (pretraining reference 2.2).</summary>
/// <param name="LearningRate">Step size.</param>
/// <param name="Momentum">mu of the running mean of gradients.</param>
/// <param name="WeightDecay">Decoupled: the weight is multiplied by <c>1 - LearningRate WeightDecay</c>, whatever the
/// scale.</param>
/// <param name="GradientScale">Factor applied to the gradient first: clipping.</param>
/// <param name="Nesterov">Whether the update looks one step of momentum ahead.</param>
/// <param name="Scale">Size of the update.</param>
/// <param name="Iteration">How the update is made orthogonal.</param>
public readonly record struct MuonSettings(
    float LearningRate, float Momentum, float WeightDecay, float GradientScale = 1, bool Nesterov = true,
    MuonScale Scale = MuonScale.Moonlight, Orthogonalization Iteration = Orthogonalization.Quintic)
{
    /// <summary>Factor on the orthogonal update of a matrix.</summary>
    internal double Factor(int rows, int columns) => Scale == MuonScale.Keller
        ? Math.Sqrt(Math.Max(1, (double)rows / columns)) : 0.2 * Math.Sqrt(Math.Max(rows, columns));
}

public abstract partial class Kernels
{
    /// <summary>One fused update of one matrix: <c>B = mu B + (1 - mu) g</c>; <c>U = (1 - mu) g + mu B</c> (Nesterov) or <c>B</c>;
    /// <c>O = U</c> with all singular values brought near 1; <c>p *= 1 - lr wd</c>; <c>p -= lr scale O</c>; then the gradient is
    /// set to zero for the next step. The gradient's magnitude matters to the momentum only.</summary>
    /// <param name="weight">[rows, columns], updated: one matrix; of fused projections a slice each.</param>
    /// <param name="gradient">Same shape; consumed: left zero.</param>
    /// <param name="momentum">Same shape: B, updated.</param>
    /// <param name="settings">Scalars of the update.</param>
    public void Muon(Tensor weight, Tensor gradient, Tensor momentum, in MuonSettings settings)
    {
        Check(weight, weight.Rows, weight.Columns, DType.F32);
        Check(gradient, weight.Rows, weight.Columns, DType.F32);
        Check(momentum, weight.Rows, weight.Columns, DType.F32);
        double small = Math.Min(weight.Rows, weight.Columns);
        using var scope = Measure(
            weight, settings.Iteration.Steps().Length * (4 * small * weight.Length + 2 * small * small * small), 6.0 * weight.ByteLength);
        MuonCore(weight, gradient, momentum, settings);
    }

    private protected abstract void MuonCore(Tensor weight, Tensor gradient, Tensor momentum, in MuonSettings settings);
}

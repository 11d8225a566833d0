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
/// <param name="Cautious">Whether weights decay only where that and the update shrink them both: where <c>O p &gt;= 0</c>.</param>
/// <param name="SecondDecay">b2 of the running mean of squares of NorMuon; used with a second moment only.</param>
/// <param name="Rounding">Of a BF16 weight without master; new for every update and matrix.</param>
public readonly record struct MuonSettings(
    float LearningRate, float Momentum, float WeightDecay, float GradientScale = 1, bool Nesterov = true,
    MuonScale Scale = MuonScale.Moonlight, Orthogonalization Iteration = Orthogonalization.Quintic, bool Cautious = false,
    float SecondDecay = 0.95f, StochasticRounding Rounding = default)
{
    /// <summary>Smallest mean square that an update is divided by the root of.</summary>
    internal const double LeastSquare = 1e-10;

    /// <summary>Factor on the orthogonal update of a matrix.</summary>
    internal double Factor(int rows, int columns) => Scale == MuonScale.Keller
        ? Math.Sqrt(Math.Max(1, (double)rows / columns)) : 0.2 * Math.Sqrt(Math.Max(rows, columns));
}

public abstract partial class Kernels
{
    /// <summary>One fused update of one matrix: <c>B = mu B + (1 - mu) g</c>; <c>U = (1 - mu) g + mu B</c> (Nesterov) or <c>B</c>;
    /// <c>O = U</c> with all singular values brought near 1; with a second moment <c>s = b2 s + (1 - b2) mean(O^2)</c>,
    /// <c>O *= rsqrt(max(s, 1e-10))</c> and O scaled back to the norm it had (NorMuon); <c>p *= 1 - lr wd</c>; <c>p -= lr scale O</c>;
    /// then the gradient is set to zero for the next step. The gradient's magnitude matters to the momentum only.</summary>
    /// <remarks>The means of NorMuon are those of rows where there are at least as many rows as columns, else of columns: along the
    /// shorter side an orthogonal matrix has equal means already.</remarks>
    /// <param name="weight">[rows, columns], F32 or BF16, updated: one matrix; of fused projections a slice each.</param>
    /// <param name="master">What a BF16 weight keeps beside it, as for AdamW; null for nothing.</param>
    /// <param name="gradient">F32, same shape; consumed: left zero.</param>
    /// <param name="momentum">F32, same shape: B, updated.</param>
    /// <param name="second">F32 [max(rows, columns)]: s, updated; null for Muon without normalisation.</param>
    /// <param name="settings">Scalars of the update.</param>
    public void Muon(Tensor weight, Tensor? master, Tensor gradient, Tensor momentum, Tensor? second, in MuonSettings settings)
    {
        Check(weight, weight.Rows, weight.Columns);
        CheckMaster(weight, master);
        Check(gradient, weight.Rows, weight.Columns, DType.F32);
        Check(momentum, weight.Rows, weight.Columns, DType.F32);
        if (second is not null) CheckLength(second, Math.Max(weight.Rows, weight.Columns), DType.F32);
        double small = Math.Min(weight.Rows, weight.Columns);
        using var scope = Measure(
            weight, settings.Iteration.Steps().Length * (4 * small * weight.Length + 2 * small * small * small),
            2.0 * (weight.ByteLength + (master?.ByteLength ?? 0) + gradient.ByteLength + momentum.ByteLength));
        MuonCore(weight, master, gradient, momentum, second, settings);
    }

    /// <inheritdoc cref="Muon(Tensor, Tensor?, Tensor, Tensor, Tensor?, in MuonSettings)"/>
    public void Muon(Tensor weight, Tensor gradient, Tensor momentum, in MuonSettings settings) =>
        Muon(weight, null, gradient, momentum, null, settings);

    private protected abstract void MuonCore(
        Tensor weight, Tensor? master, Tensor gradient, Tensor momentum, Tensor? second, in MuonSettings settings);
}

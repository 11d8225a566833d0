namespace Finery.Tensors;

/// <summary>How far a row is from another.</summary>
public enum RowMeasure
{
    /// <summary><c>||y - t||^2 / D</c>.</summary>
    Square,

    /// <summary><c>1 - cos(y, t)</c>; 1, without gradient, where either row is zero.</summary>
    Cosine,
}

public abstract partial class Kernels
{
    /// <summary>Distance of every row from a fixed one, and in the same pass the gradients of <c>sum(tokenWeights[i] loss[i])</c>
    /// (pretraining reference 4.2, features).</summary>
    /// <param name="y">F32 [N, D].</param>
    /// <param name="target">F32 [N, D], without gradient.</param>
    /// <param name="tokenWeights">[N]: dLoss/dloss[i]; a row of weight 0 costs nothing and has loss 0.</param>
    /// <param name="measure">Which distance.</param>
    /// <param name="losses">[N], overwritten.</param>
    /// <param name="dy">F32 [N, D], overwritten; null for losses alone.</param>
    public void RowDistance(Tensor y, Tensor target, Tensor tokenWeights, RowMeasure measure, Tensor losses, Tensor? dy)
    {
        Check(y, target.Rows, target.Columns, DType.F32);
        Check(target, y.Rows, y.Columns, DType.F32);
        CheckLength(tokenWeights, y.Rows, DType.F32);
        CheckLength(losses, y.Rows, DType.F32);
        if (dy is not null) Check(dy, y.Rows, y.Columns, DType.F32);
        using var scope = Measure(y, 6.0 * y.Length, y.ByteLength + target.ByteLength + (dy?.ByteLength ?? 0));
        RowDistanceCore(y, target, tokenWeights, measure, losses, dy);
    }

    private protected abstract void RowDistanceCore(
        Tensor y, Tensor target, Tensor tokenWeights, RowMeasure measure, Tensor losses, Tensor? dy);
}

public sealed partial class Tape
{
    /// <summary>Distance of every row of an activation from a fixed one.</summary>
    /// <param name="y">[N, D] in full precision.</param>
    /// <param name="target">F32 [N, D], filled before <see cref="Forward"/>.</param>
    /// <param name="tokenWeights">[N]: dLoss/dloss[i], filled before <see cref="Forward"/>.</param>
    /// <param name="measure">Which distance.</param>
    /// <returns>[N] losses.</returns>
    public Tensor RowDistance(Tensor y, Tensor target, Tensor tokenWeights, RowMeasure measure)
    {
        Consume(y);
        var losses = _arena.Floats("distances", y.Rows);
        Record(new RowDistanceOperation(y, target, tokenWeights, measure, losses));
        return losses;
    }

    private sealed class RowDistanceOperation(Tensor y, Tensor target, Tensor tokenWeights, RowMeasure measure, Tensor losses) : Operation
    {
        public override Uses UsesOf(Pass pass) =>
            pass == Pass.Backward ? new([], []) : new([y, target, tokenWeights], [losses, y.Gradient]);

        public override void Forward(Kernels kernels) => kernels.RowDistance(y, target, tokenWeights, measure, losses, y.Gradient);

        // The gradients were made in the forward pass.
        public override void Backward(Kernels kernels)
        {
        }
    }
}

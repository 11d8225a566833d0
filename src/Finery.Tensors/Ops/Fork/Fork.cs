namespace Finery.Tensors;

public abstract partial class Kernels
{
    /// <summary>A copy for a second consumer: <c>y[i] = keep[i] ? h[i] : 0</c>.</summary>
    /// <param name="h">F32 [N, D].</param>
    /// <param name="keep">I32 [N]: 0 for rows of zeros; null keeps all.</param>
    /// <param name="y">F32 [N, D], overwritten.</param>
    public void ForkForward(Tensor h, Tensor? keep, Tensor y)
    {
        Check(y, h.Rows, h.Columns, DType.F32);
        Check(h, y.Rows, y.Columns, DType.F32);
        if (keep is not null) CheckLength(keep, h.Rows, DType.I32);
        using var scope = Measure(y, 0, h.ByteLength + y.ByteLength);
        ForkForwardCore(h, keep, y);
    }

    /// <summary><c>dh[i] += keep[i] ? dy[i] : 0</c>.</summary>
    /// <param name="dy">F32 [N, D].</param>
    /// <param name="keep">I32 [N] of the forward pass.</param>
    /// <param name="dh">F32 [N, D], accumulated into.</param>
    public void ForkBackward(Tensor dy, Tensor? keep, Tensor dh)
    {
        Check(dh, dy.Rows, dy.Columns, DType.F32);
        Check(dy, dh.Rows, dh.Columns, DType.F32);
        if (keep is not null) CheckLength(keep, dy.Rows, DType.I32);
        using var scope = Measure(dh, dy.Length, dy.ByteLength + 2 * dh.ByteLength);
        ForkBackwardCore(dy, keep, dh);
    }

    private protected abstract void ForkForwardCore(Tensor h, Tensor? keep, Tensor y);

    private protected abstract void ForkBackwardCore(Tensor dy, Tensor? keep, Tensor dh);
}

public sealed partial class Tape
{
    /// <summary>Gives a tensor in full precision, usually a residual stream, one more consumer: a copy whose gradient is added to the
    /// tensor's. Gradients of several forks are added in the opposite order of their recording, so sums are the same bits in every
    /// run.</summary>
    /// <param name="h">[N, D]: a tensor of this tape that something recorded later consumes or continues, a kept one, or one from outside
    /// whose gradient is written before <see cref="Backward"/>: forks add to it.</param>
    /// <param name="keep">I32 [N]: rows where it is 0 become zero and have no gradient; null keeps all.</param>
    /// <returns>[N, D], which may start a residual stream.</returns>
    public Tensor Fork(Tensor h, Tensor? keep = null)
    {
        var copy = WideActivation($"fork of {h.Name}", h.Rows, h.Columns);
        Record(new ForkOperation(h, keep, copy));
        return copy;
    }

    /// <summary>Fails for a fork whose tensor is consumed only before it would add to a gradient that is overwritten afterwards.</summary>
    private void CheckForks()
    {
        if (!_gradients) return;
        for (int i = 0; i < _operations.Count; i++)
        {
            if (_operations[i].Forked is not { } source || _kept.Contains(source) || !_planned.Contains(source))
                continue;
            bool Writes(Operation operation, Pass pass) => operation.UsesOf(pass).Writes.Contains(source.Gradient);
            bool written = _operations.Skip(i + 1).Any(operation =>
                operation.Forked is null && (Writes(operation, Pass.Backward) || Writes(operation, Pass.Forward)));
            if (!written)
            {
                throw new InvalidOperationException(
                    $"{source} is forked, but nothing recorded after the fork consumes it: fork it earlier, or keep it.");
            }
        }
    }

    private sealed class ForkOperation(Tensor h, Tensor? keep, Tensor copy) : Operation
    {
        public override Tensor? Forked => h;

        public override Uses UsesOf(Pass pass) => pass == Pass.Backward
            ? new([copy.Gradient, keep, h.Gradient], [h.Gradient])
            : new([h, keep], [copy]);

        public override void Forward(Kernels kernels) => kernels.ForkForward(h, keep, copy);

        public override void Backward(Kernels kernels)
        {
            if (h.Gradient is { } gradient) kernels.ForkBackward(copy.Gradient!, keep, gradient);
        }
    }
}

namespace Finery.Tensors;

public abstract partial class Kernels
{
    /// <summary>Residual add and RMSNorm (pretraining reference 8): <c>h' = h + x</c>, <c>r = rsqrt(mean(h'^2) + eps)</c>,
    /// <c>y = h' r w</c>, where <c>h' r</c> is rounded to the type of y before it is multiplied.</summary>
    /// <param name="h">F32 [N, D] residual stream.</param>
    /// <param name="x">[N, D] output of the branch to add, of the type of <paramref name="y"/>; null adds nothing, and then <paramref name="residual"/> is <paramref name="h"/>.</param>
    /// <param name="weight">F32 [1, D] gain.</param>
    /// <param name="epsilon">Added to the mean square.</param>
    /// <param name="residual">F32 [N, D] h', overwritten (it may be <paramref name="h"/> itself).</param>
    /// <param name="scale">F32 [N] the r of each row, overwritten.</param>
    /// <param name="y">[N, D], overwritten.</param>
    public void RmsNormForward(Tensor h, Tensor? x, Tensor weight, float epsilon, Tensor residual, Tensor scale, Tensor y)
    {
        Check(h, h.Rows, h.Columns, DType.F32);
        CheckLength(weight, h.Columns, DType.F32);
        CheckLength(scale, h.Rows, DType.F32);
        Check(residual, h.Rows, h.Columns, DType.F32);
        Check(y, h.Rows, h.Columns);
        if (x is not null) Check(x, h.Rows, h.Columns, y.Type);
        using var scope = Measure(
            weight, (x is null ? 4.0 : 5.0) * h.Length, h.ByteLength + (x is null ? 0 : x.ByteLength + residual.ByteLength) + y.ByteLength);
        RmsNormForwardCore(h, x, weight, epsilon, residual, scale, y);
    }

    /// <summary><c>dh' (+)= r (dy w) - h' r^3 mean(dy w h')</c> per row; <c>dw += sum over rows of dy h' r</c>.</summary>
    /// <param name="dy">[N, D].</param>
    /// <param name="residual">F32 [N, D] h' of the forward pass.</param>
    /// <param name="scale">F32 [N] r of the forward pass.</param>
    /// <param name="weight">F32 [1, D].</param>
    /// <param name="dResidual">F32 [N, D] gradient of the residual stream.</param>
    /// <param name="dWeight">F32 [1, D], accumulated into; null for a frozen weight.</param>
    /// <param name="accumulate">Whether to add to <paramref name="dResidual"/> (the stream goes on behind this norm) or overwrite it.</param>
    public void RmsNormBackward(
        Tensor dy, Tensor residual, Tensor scale, Tensor weight, Tensor dResidual, Tensor? dWeight, bool accumulate)
    {
        Check(dy, dy.Rows, dy.Columns);
        CheckLength(weight, dy.Columns, DType.F32);
        CheckLength(scale, dy.Rows, DType.F32);
        Check(residual, dy.Rows, dy.Columns, DType.F32);
        Check(dResidual, dy.Rows, dy.Columns, DType.F32);
        if (dWeight is not null) CheckLength(dWeight, dy.Columns, DType.F32);
        using var scope = Measure(weight, 10.0 * dy.Length, dy.ByteLength + residual.ByteLength + (accumulate ? 2 : 1) * dResidual.ByteLength);
        RmsNormBackwardCore(dy, residual, scale, weight, dResidual, dWeight, accumulate);
    }

    private protected abstract void RmsNormForwardCore(
        Tensor h, Tensor? x, Tensor weight, float epsilon, Tensor residual, Tensor scale, Tensor y);

    private protected abstract void RmsNormBackwardCore(
        Tensor dy, Tensor residual, Tensor scale, Tensor weight, Tensor dResidual, Tensor? dWeight, bool accumulate);
}

public sealed partial class Tape
{
    private readonly HashSet<Tensor> _streamEnds = [];

    /// <summary>Adds a branch to the residual stream and normalises it.</summary>
    /// <param name="h">[N, D] residual stream.</param>
    /// <param name="x">[N, D] branch output to add, or null.</param>
    /// <param name="weight">[1, D] gain.</param>
    /// <param name="epsilon">Added to the mean square.</param>
    /// <returns>The residual stream after the addition, and the normalised activation.</returns>
    /// <exception cref="InvalidOperationException"><paramref name="h"/> is no longer the end of its stream, or <paramref name="x"/> has
    /// another consumer.</exception>
    public (Tensor Residual, Tensor Output) RmsNorm(Tensor h, Tensor? x, Tensor weight, float epsilon)
    {
        if (x is not null) Consume(x);
        var residual = x is null ? StreamEnd(h) : ExtendStream(h);
        if (x is not null) x.Gradient = h.Gradient;
        _streamEnds.Add(residual);
        var scale = Saved("scale", h.Rows);
        var y = Activation($"norm by {weight.Name}", h.Rows, h.Columns);
        Record(new RmsNormOperation(h, x, weight, epsilon, residual, scale, y));
        return (residual, y);
    }

    /// <summary>Takes the end of a stream to norm it, where it stays the end, or to add to it.</summary>
    private Tensor StreamEnd(Tensor h)
    {
        // A stream starts with its first norm and has one end: adding to an earlier point, or any other use, would lose gradients.
        if (!_streamEnds.Remove(h)) Consume(h);
        foreach (var earlier in _operations) (earlier as RmsNormOperation)?.ContinueStream(h);
        return h;
    }

    /// <summary>The stream's new end, for an op that adds to it. All tensors of a stream, and the branch outputs added, have the same
    /// gradient: one buffer serves them. Without a backward pass nothing needs the stream before the addition; a stream from outside is
    /// not ours to change.</summary>
    private Tensor ExtendStream(Tensor h)
    {
        StreamEnd(h);
        var residual = _gradients || h.IsBound ? Unplanned("residual", h.Type, h.Shape) : h;
        residual.Gradient = h.Gradient;
        _consumed.Add(residual);
        _streamEnds.Add(residual);
        return residual;
    }

    private sealed class RmsNormOperation(
        Tensor h, Tensor? x, Tensor weight, float epsilon, Tensor residual, Tensor scale, Tensor y) : Operation
    {
        // The last norm of a stream is the first to touch its gradient on the way back.
        private bool _streamGoesOn;

        public void ContinueStream(Tensor stream) => _streamGoesOn |= ReferenceEquals(stream, residual);

        public override Tensor? Carried => residual;

        public override bool IsCheap => true;

        public override Uses UsesOf(Pass pass) => pass switch
        {
            Pass.Forward => new([h, x, weight], [residual, scale, y]),
            Pass.Repeat => new([residual, weight], [scale, y]),
            _ => new(
                [y.Gradient, residual, scale, weight, _streamGoesOn ? residual.Gradient : null], [residual.Gradient, weight.Gradient]),
        };

        public override void Forward(Kernels kernels) => kernels.RmsNormForward(h, x, weight, epsilon, residual, scale, y);

        // The stream is as it was after the addition, and stays so.
        public override void Repeat(Kernels kernels) => kernels.RmsNormForward(residual, null, weight, epsilon, residual, scale, y);

        public override void Backward(Kernels kernels) => kernels.RmsNormBackward(
            y.Gradient!, residual, scale, weight, residual.Gradient!, weight.Gradient, _streamGoesOn);
    }
}

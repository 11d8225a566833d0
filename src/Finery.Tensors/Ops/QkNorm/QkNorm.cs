namespace Finery.Tensors;

public abstract partial class Kernels
{
    /// <summary>Normalises every query and key head in place (QK-norm, pretraining reference 1.4), before RoPE:
    /// <c>r = rsqrt(mean(x^2) + eps)</c> over the HS elements of a head, <c>x := x r w</c>, where <c>x r</c> is rounded to the type of x
    /// before it is multiplied. Values stay.</summary>
    /// <param name="qkv">[N, (H + 2 KV) HS], queries and keys changed in place.</param>
    /// <param name="queryGain">F32 [HS].</param>
    /// <param name="keyGain">F32 [HS].</param>
    /// <param name="epsilon">Added to the mean square.</param>
    /// <param name="shape">Layout of a row.</param>
    /// <param name="before">[N, (H + KV) HS] of the type of qkv, overwritten with the queries and keys as they were, which the backward
    /// pass needs; null where there is none.</param>
    /// <param name="scale">F32 [N, H + KV] the r of each head, overwritten; null as <paramref name="before"/>.</param>
    public void QkNormForward(
        Tensor qkv, Tensor queryGain, Tensor keyGain, float epsilon, AttentionShape shape, Tensor? before, Tensor? scale)
    {
        CheckShape(shape);
        Check(qkv, qkv.Rows, shape.QkvColumns);
        CheckLength(queryGain, shape.HeadSize, DType.F32);
        CheckLength(keyGain, shape.HeadSize, DType.F32);
        if (before is not null) Check(before, qkv.Rows, shape.ValueOffset, qkv.Type);
        if (scale is not null) Check(scale, qkv.Rows, shape.HeadCount + shape.KvHeadCount, DType.F32);
        double normalized = (double)qkv.Rows * shape.ValueOffset;
        using var scope = Measure(qkv, 4 * normalized, (before is null ? 2 : 3) * normalized * qkv.Type.ByteSize());
        QkNormForwardCore(qkv, queryGain, keyGain, epsilon, shape, before, scale);
    }

    /// <summary>Gradient of <see cref="QkNormForward"/>, in place: <c>dx := r (dy w) - x r^3 mean(dy w x)</c> of each query and key head,
    /// and <c>dw += sum over tokens and heads of dy x r</c>.</summary>
    /// <param name="dQkv">[N, (H + 2 KV) HS].</param>
    /// <param name="before">[N, (H + KV) HS] of the forward pass.</param>
    /// <param name="scale">F32 [N, H + KV] of the forward pass.</param>
    /// <param name="queryGain">F32 [HS].</param>
    /// <param name="keyGain">F32 [HS].</param>
    /// <param name="shape">Layout of a row.</param>
    /// <param name="dQueryGain">F32 [HS], accumulated into; null for frozen gains.</param>
    /// <param name="dKeyGain">F32 [HS], accumulated into; null for frozen gains.</param>
    public void QkNormBackward(
        Tensor dQkv, Tensor before, Tensor scale, Tensor queryGain, Tensor keyGain, AttentionShape shape,
        Tensor? dQueryGain, Tensor? dKeyGain)
    {
        CheckShape(shape);
        Check(dQkv, dQkv.Rows, shape.QkvColumns);
        Check(before, dQkv.Rows, shape.ValueOffset, dQkv.Type);
        Check(scale, dQkv.Rows, shape.HeadCount + shape.KvHeadCount, DType.F32);
        CheckLength(queryGain, shape.HeadSize, DType.F32);
        CheckLength(keyGain, shape.HeadSize, DType.F32);
        if (dQueryGain is not null) CheckLength(dQueryGain, shape.HeadSize, DType.F32);
        if (dKeyGain is not null) CheckLength(dKeyGain, shape.HeadSize, DType.F32);
        using var scope = Measure(dQkv, 10.0 * before.Length, 3.0 * before.ByteLength);
        QkNormBackwardCore(dQkv, before, scale, queryGain, keyGain, shape, dQueryGain, dKeyGain);
    }

    private protected abstract void QkNormForwardCore(
        Tensor qkv, Tensor queryGain, Tensor keyGain, float epsilon, AttentionShape shape, Tensor? before, Tensor? scale);

    private protected abstract void QkNormBackwardCore(
        Tensor dQkv, Tensor before, Tensor scale, Tensor queryGain, Tensor keyGain, AttentionShape shape,
        Tensor? dQueryGain, Tensor? dKeyGain);
}

public sealed partial class Tape
{
    /// <summary>Normalises queries and keys of <paramref name="qkv"/> in place; with gradients a copy of them is kept.</summary>
    /// <param name="qkv">[N, (H + 2 KV) HS].</param>
    /// <param name="queryGain">[HS].</param>
    /// <param name="keyGain">[HS].</param>
    /// <param name="epsilon">Added to the mean square.</param>
    /// <param name="shape">Layout of a row.</param>
    public void QkNorm(Tensor qkv, Tensor queryGain, Tensor keyGain, float epsilon, AttentionShape shape)
    {
        var before = _gradients ? Unplanned("queries and keys", qkv.Type, [qkv.Rows, shape.ValueOffset]) : null;
        var scale = _gradients ? Saved("scale", qkv.Rows, shape.HeadCount + shape.KvHeadCount) : null;
        Record(new QkNormOperation(qkv, queryGain, keyGain, epsilon, shape, before, scale));
    }

    private sealed class QkNormOperation(
        Tensor qkv, Tensor queryGain, Tensor keyGain, float epsilon, AttentionShape shape, Tensor? before, Tensor? scale) : Operation
    {
        public override Uses UsesOf(Pass pass) => pass == Pass.Backward
            ? new([qkv.Gradient, before, scale, queryGain, keyGain], [qkv.Gradient, queryGain.Gradient, keyGain.Gradient])
            : new([qkv, queryGain, keyGain], [qkv, before, scale]);

        public override void Forward(Kernels kernels) =>
            kernels.QkNormForward(qkv, queryGain, keyGain, epsilon, shape, before, scale);

        public override void Backward(Kernels kernels) => kernels.QkNormBackward(
            qkv.Gradient!, before!, scale!, queryGain, keyGain, shape, queryGain.Gradient, keyGain.Gradient);
    }
}

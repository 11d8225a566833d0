using System.Runtime.CompilerServices;

namespace Finery.Tensors;

public abstract partial class Kernels
{
    /// <summary>A mean probability below this counts as this: no logarithm or quotient overflows.</summary>
    private protected const float LeastAttention = 1e-30f;

    /// <summary>
    /// How far the attention of a model is from a teacher's (pretraining reference 4.2): where m and m' are the means over heads of
    /// the probabilities that token i gives to the keys <c>starts[i]..i</c>, <c>losses[i] = KL(m' || m) = sum_j m'_j ln(m'_j / m_j)</c>.
    /// The models may differ in heads and head size. Probabilities are recomputed block by block.
    /// </summary>
    /// <param name="qkv">[N, (H + 2 KV) HS] as <see cref="AttentionForward"/> reads it.</param>
    /// <param name="shape">Layout of its rows.</param>
    /// <param name="teacherQkv">[N, (H' + 2 KV') HS'] of the teacher, without gradient.</param>
    /// <param name="teacherShape">Layout of its rows.</param>
    /// <param name="starts">I32 [N]: flat index of the first token of i's document segment; non-decreasing, <c>starts[i] &lt;= i</c>.</param>
    /// <param name="tokenWeights">[N]: dLoss/dloss[i]; a row of weight 0 has loss 0.</param>
    /// <param name="losses">[N], overwritten.</param>
    /// <param name="saved">[N, 2 H + H'], overwritten: log-sum-exps of the heads of both, and <c>sum_j P_j (m_j - m'_j) / m_j</c> of each
    /// of the H, for the backward pass.</param>
    public void AttentionDivergenceForward(
        Tensor qkv, AttentionShape shape, Tensor teacherQkv, AttentionShape teacherShape, Tensor starts, Tensor tokenWeights,
        Tensor losses, Tensor saved)
    {
        CheckDivergence(qkv, shape, teacherQkv, teacherShape, starts, tokenWeights, saved);
        CheckLength(losses, qkv.Rows, DType.F32);
        using var scope = Measure(
            qkv, 4 * (Scores(starts, shape) + Scores(starts, teacherShape)), qkv.ByteLength + teacherQkv.ByteLength + saved.ByteLength);
        AttentionDivergenceForwardCore(qkv, shape, teacherQkv, teacherShape, starts, tokenWeights, losses, saved);
    }

    /// <summary>Gradients of <see cref="AttentionDivergenceForward"/>: with <c>g = (m - m') / m</c>, which is the slope of KL by m but for a
    /// constant that no softmax feels, <c>dS = w / H P (g - sum P g)</c> for each head, times <c>1 - (S/c)^2</c> under a softcap,
    /// <c>dQ += scale dS K</c>, <c>dK += scale dS^T Q</c>. Exactly zero where the teacher is the model itself.</summary>
    /// <param name="qkv">[N, (H + 2 KV) HS].</param>
    /// <param name="shape">Layout of its rows.</param>
    /// <param name="teacherQkv">[N, (H' + 2 KV') HS'].</param>
    /// <param name="teacherShape">Layout of its rows.</param>
    /// <param name="starts">I32 [N].</param>
    /// <param name="tokenWeights">[N]: w.</param>
    /// <param name="saved">[N, 2 H + H'] of the forward pass.</param>
    /// <param name="dQkv">[N, (H + 2 KV) HS], accumulated into: queries and keys.</param>
    public void AttentionDivergenceBackward(
        Tensor qkv, AttentionShape shape, Tensor teacherQkv, AttentionShape teacherShape, Tensor starts, Tensor tokenWeights,
        Tensor saved, Tensor dQkv)
    {
        CheckDivergence(qkv, shape, teacherQkv, teacherShape, starts, tokenWeights, saved);
        Check(dQkv, qkv.Rows, shape.QkvColumns);
        using var scope = Measure(
            qkv, 8 * Scores(starts, shape) + 4 * Scores(starts, teacherShape),
            qkv.ByteLength + teacherQkv.ByteLength + saved.ByteLength + 2 * dQkv.ByteLength);
        AttentionDivergenceBackwardCore(qkv, shape, teacherQkv, teacherShape, starts, tokenWeights, saved, dQkv);
    }

    private protected abstract void AttentionDivergenceForwardCore(
        Tensor qkv, AttentionShape shape, Tensor teacherQkv, AttentionShape teacherShape, Tensor starts, Tensor tokenWeights,
        Tensor losses, Tensor saved);

    private protected abstract void AttentionDivergenceBackwardCore(
        Tensor qkv, AttentionShape shape, Tensor teacherQkv, AttentionShape teacherShape, Tensor starts, Tensor tokenWeights,
        Tensor saved, Tensor dQkv);

    private void CheckDivergence(
        Tensor qkv, AttentionShape shape, Tensor teacherQkv, AttentionShape teacherShape, Tensor starts, Tensor tokenWeights,
        Tensor saved, [CallerMemberName] string op = "")
    {
        CheckShape(shape, op);
        CheckShape(teacherShape, op);
        Check(qkv, (int)starts.Length, shape.QkvColumns, op: op);
        Check(teacherQkv, qkv.Rows, teacherShape.QkvColumns, op: op);
        CheckLength(tokenWeights, qkv.Rows, DType.F32, op);
        Check(saved, qkv.Rows, 2 * shape.HeadCount + teacherShape.HeadCount, DType.F32, op);
        CheckStarts(starts, op);
    }
}

public sealed partial class Tape
{
    /// <summary>How far attention is from a teacher's. Its gradient is added to that of <paramref name="qkv"/>, which an attention recorded
    /// later must consume.</summary>
    /// <param name="qkv">[N, (H + 2 KV) HS] as attention reads it.</param>
    /// <param name="shape">Layout of its rows.</param>
    /// <param name="teacherQkv">[N, (H' + 2 KV') HS'], filled before <see cref="Forward"/> and kept until <see cref="Backward"/>.</param>
    /// <param name="teacherShape">Layout of its rows.</param>
    /// <param name="starts">I32 [N].</param>
    /// <param name="tokenWeights">[N]: dLoss/dloss[i], filled before <see cref="Forward"/>.</param>
    /// <returns>[N] losses.</returns>
    public Tensor AttentionDivergence(
        Tensor qkv, AttentionShape shape, Tensor teacherQkv, AttentionShape teacherShape, Tensor starts, Tensor tokenWeights)
    {
        var losses = _arena.Floats("attentionDivergences", qkv.Rows);
        var saved = Saved("attentionSums", qkv.Rows, 2 * shape.HeadCount + teacherShape.HeadCount);
        Record(new AttentionDivergenceOperation(qkv, shape, teacherQkv, teacherShape, starts, tokenWeights, losses, saved));
        return losses;
    }

    private sealed class AttentionDivergenceOperation(
        Tensor qkv, AttentionShape shape, Tensor teacherQkv, AttentionShape teacherShape, Tensor starts, Tensor tokenWeights,
        Tensor losses, Tensor saved) : Operation
    {
        public override Tensor? Forked => qkv;

        // A few sums of each row are cheaper kept than made again.
        public override bool IsRepeatable => false;

        public override Uses UsesOf(Pass pass) => pass == Pass.Backward
            ? new([qkv, teacherQkv, starts, tokenWeights, saved, qkv.Gradient], [qkv.Gradient])
            : new([qkv, teacherQkv, starts, tokenWeights], [losses, saved]);

        public override void Forward(Kernels kernels) => kernels.AttentionDivergenceForward(
            qkv, shape, teacherQkv, teacherShape, starts, tokenWeights, losses, saved);

        public override void Backward(Kernels kernels) => kernels.AttentionDivergenceBackward(
            qkv, shape, teacherQkv, teacherShape, starts, tokenWeights, saved, qkv.Gradient!);
    }
}

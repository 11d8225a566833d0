using System.Runtime.CompilerServices;

namespace Finery.Tensors;

public abstract partial class Kernels
{
    /// <summary>
    /// Causal grouped-query attention within documents, all rows of the batch as one flat sequence: token i sees keys
    /// <c>starts[i]..i</c>, scores are scaled by <c>1/sqrt(HS)</c> (or the scale of
    /// <paramref name="shape"/>) and bounded by the softcap of
    /// <paramref name="shape"/> if it has one; softmax and its sums in fp32.
    /// </summary>
    /// <param name="qkv">[N, (H + 2 KV) HS].</param>
    /// <param name="starts">I32 [N]: flat index of the first token of i's document segment; non-decreasing, <c>starts[i] &lt;= i</c>.</param>
    /// <param name="shape">Layout of a row.</param>
    /// <param name="output">[N, H HS], overwritten.</param>
    /// <param name="logSumExp">[N, H], overwritten: saved for the backward pass.</param>
    /// <param name="maxLogit">[H], overwritten: the largest scaled (and bounded) score of each head, for QK-clip and monitoring.</param>
    public void AttentionForward(
        Tensor qkv, Tensor starts, AttentionShape shape, Tensor output, Tensor logSumExp, Tensor maxLogit)
    {
        CheckShape(shape);
        Check(qkv, (int)starts.Length, shape.QkvColumns);
        Check(output, qkv.Rows, shape.OutputColumns);
        Check(logSumExp, qkv.Rows, shape.HeadCount);
        CheckLength(maxLogit, shape.HeadCount);
        CheckStarts(starts);
        using var scope = Measure(qkv, 4 * Scores(starts, shape), qkv.ByteLength + output.ByteLength + logSumExp.ByteLength);
        AttentionForwardCore(qkv, starts, shape, output, logSumExp, maxLogit);
    }

    /// <summary>Gradients of <see cref="AttentionForward"/> (pretraining reference 8): with <c>P = exp(S - LSE)</c> and
    /// <c>Dl = rowsum(dO O)</c>: <c>dV += P^T dO</c>, <c>dS = P (dO V^T - Dl)</c>, times <c>1 - (S/c)^2</c> under a softcap, <c>dQ = scale dS K</c>,
    /// <c>dK = scale dS^T Q</c>.</summary>
    /// <param name="dOutput">[N, H HS].</param>
    /// <param name="qkv">[N, (H + 2 KV) HS].</param>
    /// <param name="output">[N, H HS] of the forward pass.</param>
    /// <param name="logSumExp">[N, H] of the forward pass.</param>
    /// <param name="starts">I32 [N].</param>
    /// <param name="shape">Layout of a row.</param>
    /// <param name="dQkv">[N, (H + 2 KV) HS], overwritten.</param>
    public void AttentionBackward(
        Tensor dOutput, Tensor qkv, Tensor output, Tensor logSumExp, Tensor starts, AttentionShape shape, Tensor dQkv)
    {
        CheckShape(shape);
        Check(qkv, (int)starts.Length, shape.QkvColumns);
        Check(dOutput, qkv.Rows, shape.OutputColumns);
        Check(output, qkv.Rows, shape.OutputColumns);
        Check(logSumExp, qkv.Rows, shape.HeadCount);
        Check(dQkv, qkv.Rows, shape.QkvColumns);
        CheckStarts(starts);
        using var scope = Measure(qkv, 10 * Scores(starts, shape), 2.0 * (dOutput.ByteLength + qkv.ByteLength) + logSumExp.ByteLength);
        AttentionBackwardCore(dOutput, qkv, output, logSumExp, starts, shape, dQkv);
    }

    private protected abstract void AttentionForwardCore(
        Tensor qkv, Tensor starts, AttentionShape shape, Tensor output, Tensor logSumExp, Tensor maxLogit);

    private protected abstract void AttentionBackwardCore(
        Tensor dOutput, Tensor qkv, Tensor output, Tensor logSumExp, Tensor starts, AttentionShape shape, Tensor dQkv);

    /// <summary>Multiply-adds of one product of the op: keys seen by all queries times the width of all heads.</summary>
    private double Scores(Tensor starts, AttentionShape shape)
    {
        if (Profiler is null) return 0;
        double seen = 0;
        var values = starts.Integers;
        for (int i = 0; i < values.Length; i++) seen += i + 1 - values[i];
        return seen * shape.OutputColumns;
    }

    private void CheckStarts(Tensor starts, [CallerMemberName] string op = "")
    {
        CheckLength(starts, (int)starts.Length, DType.I32, op);
        int previous = 0;
        var values = starts.Integers;
        for (int i = 0; i < values.Length; i++)
        {
            if (values[i] < previous || values[i] > i)
                throw new ArgumentException($"{op}: starts[{i}] is {values[i]}; expected {previous}..{i}.", nameof(starts));
            previous = values[i];
        }
    }
}

public sealed partial class Tape
{
    private readonly List<Tensor> _maxLogits = [];

    /// <summary>[H] of every attention recorded, in order: the largest score of each head in the last <see cref="Forward"/>.</summary>
    public IReadOnlyList<Tensor> MaxLogits => _maxLogits;

    /// <summary>Causal grouped-query attention within documents.</summary>
    /// <param name="qkv">[N, (H + 2 KV) HS].</param>
    /// <param name="starts">I32 [N].</param>
    /// <param name="shape">Layout of a row.</param>
    /// <returns>[N, H HS].</returns>
    public Tensor Attention(Tensor qkv, Tensor starts, AttentionShape shape)
    {
        Consume(qkv);
        var output = Activation($"attention of {qkv.Name}", qkv.Rows, shape.OutputColumns);
        var logSumExp = Saved("logSumExp", qkv.Rows, shape.HeadCount);
        var maxLogit = _arena.Floats("maxLogit", shape.HeadCount);
        _maxLogits.Add(maxLogit);
        Record(new AttentionOperation(qkv, starts, shape, output, logSumExp, maxLogit));
        return output;
    }

    private sealed class AttentionOperation(
        Tensor qkv, Tensor starts, AttentionShape shape, Tensor output, Tensor logSumExp, Tensor maxLogit) : Operation
    {
        public override Uses UsesOf(Pass pass) => pass == Pass.Backward
            ? new([output.Gradient, qkv, output, logSumExp, starts], [qkv.Gradient])
            : new([qkv, starts], [output, logSumExp, maxLogit]);

        public override void Forward(Kernels kernels) =>
            kernels.AttentionForward(qkv, starts, shape, output, logSumExp, maxLogit);

        public override void Backward(Kernels kernels) =>
            kernels.AttentionBackward(output.Gradient!, qkv, output, logSumExp, starts, shape, qkv.Gradient!);
    }
}

namespace Finery.Tensors;

public abstract partial class Kernels
{
    /// <summary>Output head compared with a hard target and with K weighted ones of every row, from the same logits and in chunks of rows:
    /// <c>loss[i] = logsumexp(z) - z[target]</c>, <c>divergence[i] = tau^2 (sum_k p_k (ln p_k - ln q_k) + r ln(r / R))</c> with
    /// <c>z = x W^T</c>, <c>q = softmax(z / tau)</c> over the whole vocabulary and the bucket r only where asked for. Gradients are those of
    /// <c>sum(tokenWeights[i] loss[i] + softWeights[i] divergence[i])</c>: the second has
    /// <c>dz = tau (q sum_k p_k - p)</c>, with a bucket <c>q - p</c> at the ids and <c>q (1 - r / R)</c> elsewhere.</summary>
    /// <param name="x">[N, D].</param>
    /// <param name="weight">[V, D].</param>
    /// <param name="targets">I32 [N] in [0, V), or -1 for a row without hard target.</param>
    /// <param name="tokenWeights">[N]: dLoss/dloss[i].</param>
    /// <param name="softIds">I32 [N, K] in [0, V), or -1 for none.</param>
    /// <param name="probabilities">F32 [N, K]: p; their sum may be anything where there is no bucket, so that plain weights fit.</param>
    /// <param name="softWeights">[N]: dLoss/ddivergence[i]; the K targets of a row of weight 0 cost nothing, its divergence is 0.</param>
    /// <param name="options">Temperature, bucket, z-loss and softcap.</param>
    /// <param name="losses">[N], overwritten: cross-entropy with z-loss, 0 without hard target.</param>
    /// <param name="divergences">[N], overwritten.</param>
    /// <param name="logProbabilities">F32 [N, K], overwritten: ln q_k, 0 where there is no id or no soft weight.</param>
    /// <param name="dx">[N, D], overwritten; null for losses alone.</param>
    /// <param name="dWeight">[V, D], accumulated into; null for a frozen head or losses alone.</param>
    /// <param name="logSumExp">[N], overwritten where given: logsumexp(z[i]), 0 without hard target.</param>
    public void LinearSparseTargets(
        Tensor x, Tensor weight, Tensor targets, Tensor tokenWeights, Tensor softIds, Tensor probabilities, Tensor softWeights,
        SparseTargetOptions options, Tensor losses, Tensor divergences, Tensor logProbabilities, Tensor? dx, Tensor? dWeight,
        Tensor? logSumExp = null)
    {
        CheckHead(x, weight, targets, losses, options.Head, logSumExp);
        CheckLength(tokenWeights, x.Rows);
        CheckLength(softWeights, x.Rows);
        CheckLength(divergences, x.Rows);
        Check(softIds, x.Rows, softIds.Columns, DType.I32);
        Check(probabilities, x.Rows, softIds.Columns, DType.F32);
        Check(logProbabilities, x.Rows, softIds.Columns, DType.F32);
        if (dx is not null) Check(dx, x.Rows, x.Columns);
        if (dWeight is not null) Check(dWeight, weight.Rows, weight.Columns, DType.F32);
        if (dx is null && dWeight is not null)
            throw new ArgumentException("LinearSparseTargets: dWeight without dx.", nameof(dWeight));
        CheckSparse(softIds, weight.Rows, options);
        using var scope = Measure(
            weight, (dx is null ? 2.0 : dWeight is null ? 4 : 6) * CountedSparse(targets, softWeights) * weight.Length,
            x.ByteLength + weight.ByteLength + (dx?.ByteLength ?? 0) + 2.0 * (dWeight?.ByteLength ?? 0));
        LinearSparseTargetsCore(
            x, weight, targets, tokenWeights, softIds, probabilities, softWeights, options, losses, divergences, logProbabilities, dx, dWeight,
            logSumExp);
    }

    private protected abstract void LinearSparseTargetsCore(
        Tensor x, Tensor weight, Tensor targets, Tensor tokenWeights, Tensor softIds, Tensor probabilities, Tensor softWeights,
        SparseTargetOptions options, Tensor losses, Tensor divergences, Tensor logProbabilities, Tensor? dx, Tensor? dWeight,
        Tensor? logSumExp);

    private static void CheckSparse(Tensor softIds, int vocabulary, SparseTargetOptions options)
    {
        const string Op = nameof(LinearSparseTargets);
        if (!(options.Temperature > 0 && float.IsFinite(options.Temperature)))
            throw new ArgumentOutOfRangeException(nameof(options), $"{Op}: temperature {options.Temperature}; expected above 0.");
        if (options.Remainder && options.Temperature != 1)
            throw new ArgumentException(
                $"{Op}: a bucket for the remainder at temperature {options.Temperature}; expected 1, what is left of other softmaxes is unknown.",
                nameof(options));
        var ids = softIds.Integers;
        for (int i = 0; i < ids.Length; i++)
        {
            if (ids[i] < -1 || ids[i] >= vocabulary)
                throw new ArgumentOutOfRangeException(nameof(softIds), $"{Op}: id {ids[i]} at {i}; expected [-1, {vocabulary}).");
        }
    }

    private int CountedSparse(Tensor targets, Tensor softWeights)
    {
        if (Profiler is null) return 0;
        int count = 0;
        for (int i = 0; i < softWeights.Length; i++) count += targets.Integers[i] >= 0 || softWeights[i] != 0 ? 1 : 0;
        return count;
    }
}

/// <summary>What a head compared with sparse targets says of every row.</summary>
/// <param name="Losses">[N] cross-entropy of the hard target, a z-loss included.</param>
/// <param name="Divergences">[N] of the weighted targets.</param>
/// <param name="LogProbabilities">[N, K] of the weighted targets.</param>
public sealed record SparseTargetLosses(Tensor Losses, Tensor Divergences, Tensor LogProbabilities);

public sealed partial class Tape
{
    /// <summary>Output head compared with a hard and K weighted targets of every row (<see cref="Kernels.LinearSparseTargets"/>).</summary>
    /// <param name="x">[N, D].</param>
    /// <param name="weight">[V, D].</param>
    /// <param name="targets">I32 [N]; this and all below are filled before <see cref="Forward"/>.</param>
    /// <param name="tokenWeights">[N].</param>
    /// <param name="softIds">I32 [N, K].</param>
    /// <param name="probabilities">[N, K].</param>
    /// <param name="softWeights">[N].</param>
    /// <param name="options">Temperature, bucket, z-loss and softcap.</param>
    /// <param name="logSumExp">[N]: receives the log-sum-exp of the logits of every row with a hard target, where given.</param>
    public SparseTargetLosses LinearSparseTargets(
        Tensor x, Tensor weight, Tensor targets, Tensor tokenWeights, Tensor softIds, Tensor probabilities, Tensor softWeights,
        SparseTargetOptions options, Tensor? logSumExp = null)
    {
        Consume(x);
        var outputs = new SparseTargetLosses(
            _arena.Floats("losses", x.Rows), _arena.Floats("divergences", x.Rows),
            _arena.Floats("logProbabilities", softIds.Rows, softIds.Columns));
        Record(new LinearSparseTargetsOperation(
            x, weight, targets, tokenWeights, softIds, probabilities, softWeights, options, outputs, logSumExp, _gradients));
        return outputs;
    }

    private sealed class LinearSparseTargetsOperation(
        Tensor x, Tensor weight, Tensor targets, Tensor tokenWeights, Tensor softIds, Tensor probabilities, Tensor softWeights,
        SparseTargetOptions options, SparseTargetLosses outputs, Tensor? logSumExp, bool gradients) : Operation
    {
        // With gradients it adds to those of the head.
        public override bool IsRepeatable => false;

        public override Uses UsesOf(Pass pass) => pass == Pass.Backward
            ? new([], [])
            : new(
                [x, weight, targets, tokenWeights, softIds, probabilities, softWeights],
                [outputs.Losses, outputs.Divergences, outputs.LogProbabilities, logSumExp, .. gradients ? [x.Gradient, weight.Gradient] : (Tensor?[])[]]);

        public override void Forward(Kernels kernels) => kernels.LinearSparseTargets(
            x, weight, targets, tokenWeights, softIds, probabilities, softWeights, options,
            outputs.Losses, outputs.Divergences, outputs.LogProbabilities,
            gradients ? x.Gradient : null, gradients ? weight.Gradient : null, logSumExp);

        // The gradients were made from the logits of the forward pass.
        public override void Backward(Kernels kernels)
        {
        }
    }
}

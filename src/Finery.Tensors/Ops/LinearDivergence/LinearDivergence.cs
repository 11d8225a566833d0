namespace Finery.Tensors;

/// <summary>How far a student's distribution q is from its teacher's p.</summary>
public enum Divergence
{
    /// <summary><c>KL(p || q)</c>: the student covers all that the teacher does.</summary>
    Forward,

    /// <summary><c>KL(q || p)</c>: the student does nothing that the teacher would not.</summary>
    Reverse,

    /// <summary>Jensen-Shannon, <c>(KL(p || m) + KL(q || m)) / 2</c> with <c>m = (p + q) / 2</c>.</summary>
    JensenShannon,
}

/// <summary>Settings of distillation (pretraining reference 4.2).</summary>
/// <param name="Kind">Which divergence.</param>
/// <param name="Temperature">tau: both distributions are the softmax of logits over tau, and losses are multiplied by tau^2, which
/// keeps the size of gradients.</param>
public readonly record struct DivergenceOptions(Divergence Kind, float Temperature = 1);

public abstract partial class Kernels
{
    /// <summary>Divergence between the output heads of a student and a teacher, fused in chunks of rows: neither's full logits
    /// exist. <c>q = softmax(x W^T / tau)</c>, <c>p = softmax(x' W'^T / tau)</c>, <c>loss[i] = tau^2 D(p, q)</c>; and from the
    /// same logits the gradients of <c>sum(tokenWeights[i] loss[i])</c>.</summary>
    /// <param name="x">[N, D] of the student.</param>
    /// <param name="weight">[V, D].</param>
    /// <param name="teacherX">[N, D'].</param>
    /// <param name="teacherWeight">[V, D'].</param>
    /// <param name="tokenWeights">[N]: dLoss/dloss[i]; a row of weight 0 costs nothing and has loss 0.</param>
    /// <param name="options">Which divergence, at which temperature.</param>
    /// <param name="losses">[N], overwritten: nats times tau^2.</param>
    /// <param name="dx">[N, D], overwritten; null for losses alone.</param>
    /// <param name="dWeight">[V, D], accumulated into; null for a frozen head or losses alone.</param>
    public void LinearDivergence(
        Tensor x, Tensor weight, Tensor teacherX, Tensor teacherWeight, Tensor tokenWeights, DivergenceOptions options,
        Tensor losses, Tensor? dx, Tensor? dWeight)
    {
        Check(x, x.Rows, x.Columns);
        Check(weight, weight.Rows, x.Columns);
        Check(teacherX, x.Rows, teacherX.Columns);
        Check(teacherWeight, weight.Rows, teacherX.Columns);
        CheckLength(tokenWeights, x.Rows, DType.F32);
        CheckLength(losses, x.Rows, DType.F32);
        if (dx is not null) Check(dx, x.Rows, x.Columns);
        if (dWeight is not null) Check(dWeight, weight.Rows, weight.Columns, DType.F32);
        if (dx is null && dWeight is not null)
            throw new ArgumentException("LinearDivergence: dWeight without dx.", nameof(dWeight));
        if (!(options.Temperature > 0 && float.IsFinite(options.Temperature)))
            throw new ArgumentOutOfRangeException(nameof(options), $"LinearDivergence: temperature {options.Temperature}; expected above 0.");
        using var scope = Measure(
            weight,
            2.0 * Weighted(tokenWeights) * ((dx is null ? 1 : dWeight is null ? 2 : 3) * weight.Length + teacherWeight.Length),
            x.ByteLength + weight.ByteLength + teacherX.ByteLength + teacherWeight.ByteLength
                + (dx?.ByteLength ?? 0) + 2.0 * (dWeight?.ByteLength ?? 0));
        LinearDivergenceCore(x, weight, teacherX, teacherWeight, tokenWeights, options, losses, dx, dWeight);
    }

    private protected abstract void LinearDivergenceCore(
        Tensor x, Tensor weight, Tensor teacherX, Tensor teacherWeight, Tensor tokenWeights, DivergenceOptions options,
        Tensor losses, Tensor? dx, Tensor? dWeight);

    /// <summary>Rows that count; the others cost nothing.</summary>
    private int Weighted(Tensor tokenWeights)
    {
        if (Profiler is null) return 0;
        int count = 0;
        for (int i = 0; i < tokenWeights.Length; i++) count += tokenWeights[i] == 0 ? 0 : 1;
        return count;
    }
}

public sealed partial class Tape
{
    /// <summary>Per-token divergence of the output head from a teacher's.</summary>
    /// <param name="x">[N, D].</param>
    /// <param name="weight">[V, D].</param>
    /// <param name="teacherX">[N, D'], filled before <see cref="Forward"/>: usually the output of a tape without gradients.</param>
    /// <param name="teacherWeight">[V, D'].</param>
    /// <param name="tokenWeights">[N]: dLoss/dloss[i], filled before <see cref="Forward"/>.</param>
    /// <param name="options">Which divergence, at which temperature.</param>
    /// <returns>[N] losses.</returns>
    public Tensor LinearDivergence(
        Tensor x, Tensor weight, Tensor teacherX, Tensor teacherWeight, Tensor tokenWeights, DivergenceOptions options)
    {
        Consume(x);
        var losses = _arena.Floats("divergences", x.Rows);
        Record(new LinearDivergenceOperation(x, weight, teacherX, teacherWeight, tokenWeights, options, losses, _gradients));
        return losses;
    }

    private sealed class LinearDivergenceOperation(
        Tensor x, Tensor weight, Tensor teacherX, Tensor teacherWeight, Tensor tokenWeights, DivergenceOptions options, Tensor losses,
        bool gradients) : Operation
    {
        // With gradients it adds to those of the head.
        public override bool IsRepeatable => false;

        public override Uses UsesOf(Pass pass) => pass == Pass.Backward
            ? new([], [])
            : new(
                [x, weight, teacherX, teacherWeight, tokenWeights],
                gradients ? [losses, x.Gradient, weight.Gradient] : [losses]);

        public override void Forward(Kernels kernels) => kernels.LinearDivergence(
            x, weight, teacherX, teacherWeight, tokenWeights, options, losses,
            gradients ? x.Gradient : null, gradients ? weight.Gradient : null);

        // The gradients were made from the logits of the forward pass.
        public override void Backward(Kernels kernels)
        {
        }
    }
}

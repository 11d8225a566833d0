using System.Runtime.CompilerServices;

namespace Finery.Tensors;

public abstract partial class Kernels
{
    /// <summary>Output head and cross-entropy fused, in chunks of rows: the full logits [N, V] never exist.
    /// <c>z = x W^T</c>, <c>loss[i] = logsumexp(z[i]) - z[i][target[i]]</c>.</summary>
    /// <param name="x">[N, D].</param>
    /// <param name="weight">[V, D].</param>
    /// <param name="targets">I32 [N] in [0, V), or -1 for a token without loss.</param>
    /// <param name="losses">[N], overwritten: nats per token, 0 where the target is -1. Without options these are the negative log
    /// probabilities of the targets; a z-loss is part of them.</param>
    /// <param name="options">Z-loss and softcap.</param>
    /// <param name="logSumExp">[N], overwritten where given: logsumexp(z[i]), 0 where the target is -1. Takes the z-loss out of
    /// the losses again: <c>loss[i] - lambda logSumExp[i]^2</c> is the cross-entropy.</param>
    public void LinearCrossEntropyForward(
        Tensor x, Tensor weight, Tensor targets, Tensor losses, CrossEntropyOptions options = default, Tensor? logSumExp = null)
    {
        CheckHead(x, weight, targets, losses, options, logSumExp);
        using var scope = Measure(weight, 2.0 * Counted(targets) * weight.Length, x.ByteLength + weight.ByteLength);
        LinearCrossEntropyForwardCore(x, weight, targets, losses, options, logSumExp);
    }

    /// <summary>Forward pass and, from the same logits, the gradients of <c>sum(tokenWeights[i] loss[i])</c>:
    /// <c>dz = tokenWeights[i] ((1 + 2 lambda logsumexp(z)) softmax(z) - onehot(target))</c>, times the slope of a softcap;
    /// <c>dx = dz W</c>, <c>dW += dz^T x</c>.</summary>
    /// <param name="x">[N, D].</param>
    /// <param name="weight">[V, D].</param>
    /// <param name="targets">I32 [N] in [0, V), or -1 for a token without loss.</param>
    /// <param name="tokenWeights">[N]: dLoss/dloss[i]; usually 1/(number of targets in the step). Ignored where the target is -1.</param>
    /// <param name="losses">[N], overwritten.</param>
    /// <param name="dx">[N, D], overwritten (0 for rows without target).</param>
    /// <param name="dWeight">[V, D], accumulated into; null for a frozen head.</param>
    /// <param name="options">Z-loss and softcap.</param>
    /// <param name="logSumExp">[N], overwritten where given.</param>
    public void LinearCrossEntropyForwardBackward(
        Tensor x, Tensor weight, Tensor targets, Tensor tokenWeights, Tensor losses, Tensor dx, Tensor? dWeight,
        CrossEntropyOptions options = default, Tensor? logSumExp = null)
    {
        CheckHead(x, weight, targets, losses, options, logSumExp);
        CheckLength(tokenWeights, x.Rows);
        Check(dx, x.Rows, x.Columns);
        if (dWeight is not null) Check(dWeight, weight.Rows, weight.Columns);
        using var scope = Measure(
            weight, (dWeight is null ? 4.0 : 6.0) * Counted(targets) * weight.Length,
            x.ByteLength + dx.ByteLength + weight.ByteLength + (dWeight is null ? 0 : 2.0 * dWeight.ByteLength));
        LinearCrossEntropyForwardBackwardCore(x, weight, targets, tokenWeights, losses, dx, dWeight, options, logSumExp);
    }

    private protected abstract void LinearCrossEntropyForwardCore(
        Tensor x, Tensor weight, Tensor targets, Tensor losses, CrossEntropyOptions options, Tensor? logSumExp);

    private protected abstract void LinearCrossEntropyForwardBackwardCore(
        Tensor x, Tensor weight, Tensor targets, Tensor tokenWeights, Tensor losses, Tensor dx, Tensor? dWeight,
        CrossEntropyOptions options, Tensor? logSumExp);

    /// <summary>Rows with a target; the others cost nothing.</summary>
    private int Counted(Tensor targets)
    {
        if (Profiler is null) return 0;
        var values = targets.Integers;
        return values.Length - values.Count(-1);
    }

    private void CheckHead(
        Tensor x, Tensor weight, Tensor targets, Tensor losses, CrossEntropyOptions options, Tensor? logSumExp,
        [CallerMemberName] string op = "")
    {
        if (logSumExp is not null) CheckLength(logSumExp, x.Rows, op: op);
        if (!(options.ZLoss >= 0 && options.Softcap >= 0 && float.IsFinite(options.ZLoss) && float.IsFinite(options.Softcap)))
            throw new ArgumentOutOfRangeException(nameof(options), $"{op}: {options}; expected finite numbers from 0.");
        Check(weight, weight.Rows, x.Columns, op: op);
        CheckLength(targets, x.Rows, DType.I32, op);
        CheckLength(losses, x.Rows, op: op);
        var values = targets.Integers;
        for (int i = 0; i < values.Length; i++)
        {
            if (values[i] < -1 || values[i] >= weight.Rows)
                throw new ArgumentOutOfRangeException(nameof(targets),
                    $"{op}: target {values[i]} at {i}; expected [-1, {weight.Rows}).");
        }
    }
}

public sealed partial class Tape
{
    /// <summary>Per-token cross-entropy of the output head.</summary>
    /// <param name="x">[N, D].</param>
    /// <param name="weight">[V, D].</param>
    /// <param name="targets">I32 [N]; -1 for a token without loss.</param>
    /// <param name="tokenWeights">[N]: dLoss/dloss[i].</param>
    /// <param name="weightsKnown">True: <paramref name="tokenWeights"/> is filled before <see cref="Forward"/>, which then computes the
    /// gradients from the logits at hand. False: it is filled between <see cref="Forward"/> and <see cref="Backward"/> because it depends
    /// on the losses (preference losses), and the backward pass computes the logits again.</param>
    /// <param name="options">Z-loss and softcap.</param>
    /// <param name="logSumExp">[N]: receives the log-sum-exp of every row's logits, where given.</param>
    /// <returns>[N] losses in nats, a z-loss included.</returns>
    public Tensor LinearCrossEntropy(
        Tensor x, Tensor weight, Tensor targets, Tensor tokenWeights, bool weightsKnown, CrossEntropyOptions options = default,
        Tensor? logSumExp = null)
    {
        Consume(x);
        var losses = _arena.Floats("losses", x.Rows);
        Record(new LinearCrossEntropyOperation(
            x, weight, targets, tokenWeights, losses, weightsKnown && _gradients, options, logSumExp));
        return losses;
    }

    private sealed class LinearCrossEntropyOperation(
        Tensor x, Tensor weight, Tensor targets, Tensor tokenWeights, Tensor losses, bool gradientsWithForward,
        CrossEntropyOptions options, Tensor? logSumExp) : Operation
    {
        // With gradients it adds to those of the head.
        public override bool IsRepeatable => false;

        public override Uses UsesOf(Pass pass)
        {
            if (pass == Pass.Backward && gradientsWithForward) return new([], []);
            return pass == Pass.Backward || gradientsWithForward
                ? new([x, weight, targets, tokenWeights], [losses, logSumExp, x.Gradient, weight.Gradient])
                : new([x, weight, targets], [losses, logSumExp]);
        }

        public override void Forward(Kernels kernels)
        {
            if (gradientsWithForward) ForwardBackward(kernels);
            else kernels.LinearCrossEntropyForward(x, weight, targets, losses, options, logSumExp);
        }

        public override void Backward(Kernels kernels)
        {
            if (!gradientsWithForward) ForwardBackward(kernels);
        }

        private void ForwardBackward(Kernels kernels) => kernels.LinearCrossEntropyForwardBackward(
            x, weight, targets, tokenWeights, losses, x.Gradient!, weight.Gradient, options, logSumExp);
    }
}

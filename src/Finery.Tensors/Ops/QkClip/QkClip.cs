namespace Finery.Tensors;

/// <summary>Which rows of the query and key projections a head with large logits scales down.</summary>
public enum QkClipRule
{
    /// <summary><see cref="Group"/> where every query head has its own key head, else <see cref="QueryOnly"/>.</summary>
    ByShape,

    /// <summary>The largest logit of a group of query heads scales all its query rows and its key rows by the root of the factor:
    /// heads of the group without large logits shrink with it.</summary>
    Group,

    /// <summary>A head scales its own query rows by the whole factor: exact for each head, and the shared keys stay.</summary>
    QueryOnly,
}

/// <summary>How rows are scaled: a resolved rule.</summary>
internal readonly record struct QkClipRun(float Threshold, bool Group, StochasticRounding Rounding);

public abstract partial class Kernels
{
    /// <summary>QK-clip (pretraining reference 2.3), after an optimizer step: <c>gamma = min(1, threshold / S)</c> brings
    /// attention logits that exceeded the threshold back to it.</summary>
    /// <param name="weight">[(H + 2 KV) HS, D] projection to queries, keys and values, F32 or BF16. Scaled in place.</param>
    /// <param name="master">What a BF16 weight keeps beside it, as for AdamW: the exact value is scaled and the weight follows, so that
    /// the next update starts from it. Null for nothing.</param>
    /// <param name="maxLogits">[H]: S, the largest logit of each head over the whole step; the caller resets it.</param>
    /// <param name="shape">Layout of the rows of <paramref name="weight"/>.</param>
    /// <param name="threshold">tau, usually 100.</param>
    /// <param name="rule">Which rows are scaled.</param>
    /// <param name="rounding">Of a BF16 weight without master; new for every call.</param>
    /// <returns>How many heads were above the threshold.</returns>
    /// <exception cref="ArithmeticException">A logit is not finite: the step has diverged or saw no token. Nothing is
    /// scaled.</exception>
    public int QkClip(
        Tensor weight, Tensor? master, Tensor maxLogits, AttentionShape shape, float threshold, QkClipRule rule = QkClipRule.ByShape,
        StochasticRounding rounding = default)
    {
        CheckShape(shape);
        Check(weight, shape.QkvColumns, weight.Columns);
        CheckMaster(weight, master);
        CheckLength(maxLogits, shape.HeadCount, DType.F32);
        if (!(threshold > 0 && float.IsFinite(threshold)))
            throw new ArgumentOutOfRangeException(nameof(threshold), $"QkClip: threshold {threshold}; expected a positive number.");
        int clipped = 0;
        for (int head = 0; head < shape.HeadCount; head++)
        {
            if (!double.IsFinite(maxLogits[head]))
                throw new ArithmeticException($"QkClip: the largest logit of head {head} of {weight} is {maxLogits[head]}.");
            if (maxLogits[head] > threshold) clipped++;
        }
        if (clipped == 0) return 0;
        if (rule == QkClipRule.ByShape) rule = shape.HeadCount == shape.KvHeadCount ? QkClipRule.Group : QkClipRule.QueryOnly;
        double rows = (double)(shape.HeadCount + (rule == QkClipRule.Group ? shape.KvHeadCount : 0)) * shape.HeadSize;
        using var scope = Measure(weight, rows * weight.Columns, 2 * rows * weight.Columns * weight.Type.ByteSize());
        QkClipCore(weight, master, maxLogits, shape, new(threshold, rule == QkClipRule.Group, rounding));
        return clipped;
    }

    private protected abstract void QkClipCore(
        Tensor weight, Tensor? master, Tensor maxLogits, AttentionShape shape, in QkClipRun run);

    /// <summary>Factor on the rows of a head of queries, or behind them of keys.</summary>
    private protected static double QkClipFactor(Tensor maxLogits, int head, AttentionShape shape, in QkClipRun run)
    {
        int size = shape.HeadCount / shape.KvHeadCount;
        if (!run.Group) return head < shape.HeadCount && maxLogits[head] > run.Threshold ? run.Threshold / maxLogits[head] : 1;
        int first = (head < shape.HeadCount ? head / size : head - shape.HeadCount) * size;
        double largest = maxLogits[first];
        for (int i = 1; i < size; i++) largest = Math.Max(largest, maxLogits[first + i]);
        return largest > run.Threshold ? Math.Sqrt(run.Threshold / largest) : 1;
    }
}

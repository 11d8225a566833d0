namespace Finery.Tensors;

/// <summary>Which rows of the query and key projections a head with large logits scales down.</summary>
public enum QkClipRule
{
    /// <summary><see cref="Group"/> where every query head has its own key head, else <see cref="QueryOnly"/>.</summary>
    ByShape,

    /// <summary>The largest logit of a group of query heads scales all its query rows and its key rows by the root of the factor: heads of
    /// the group without large logits shrink with it.</summary>
    Group,

    /// <summary>A head scales its own query rows by the whole factor: exact for each head, and the shared keys stay.</summary>
    QueryOnly,
}

public abstract partial class Kernels
{
    /// <summary>QK-clip (pretraining reference 2.3), after an optimizer step: <c>gamma = min(1, threshold / S)</c> brings attention logits
    /// that exceeded the threshold back to it.</summary>
    /// <param name="weight">[(H + 2 KV) HS, D] projection to queries, keys and values; fp32 masters, before any narrower copy. Scaled in
    /// place.</param>
    /// <param name="maxLogits">[H]: S, the largest logit of each head over the whole step; the caller resets it.</param>
    /// <param name="shape">Layout of the rows of <paramref name="weight"/>.</param>
    /// <param name="threshold">tau, usually 100.</param>
    /// <param name="rule">Which rows are scaled.</param>
    /// <returns>How many heads were above the threshold.</returns>
    /// <exception cref="ArithmeticException">A logit is not finite: the step has diverged or saw no token. Nothing is scaled.</exception>
    public int QkClip(Tensor weight, Tensor maxLogits, AttentionShape shape, float threshold, QkClipRule rule = QkClipRule.ByShape)
    {
        CheckShape(shape);
        Check(weight, shape.QkvColumns, weight.Columns, DType.F32);
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
        QkClipCore(weight, maxLogits, shape, threshold, group: rule == QkClipRule.Group);
        return clipped;
    }

    private protected abstract void QkClipCore(Tensor weight, Tensor maxLogits, AttentionShape shape, float threshold, bool group);

    /// <summary>Factor on the rows of a head of queries, or behind them of keys.</summary>
    private protected static double QkClipFactor(Tensor maxLogits, int head, AttentionShape shape, float threshold, bool group)
    {
        int size = shape.HeadCount / shape.KvHeadCount;
        if (!group) return head < shape.HeadCount && maxLogits[head] > threshold ? threshold / maxLogits[head] : 1;
        int first = (head < shape.HeadCount ? head / size : head - shape.HeadCount) * size;
        double largest = maxLogits[first];
        for (int i = 1; i < size; i++) largest = Math.Max(largest, maxLogits[first + i]);
        return largest > threshold ? Math.Sqrt(threshold / largest) : 1;
    }
}

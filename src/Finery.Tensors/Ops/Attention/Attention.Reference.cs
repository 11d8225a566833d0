namespace Finery.Tensors;

public sealed partial class ReferenceKernels
{
    private protected override void AttentionForwardCore(
        Tensor qkv, Tensor starts, AttentionShape shape, Tensor output, Tensor logSumExp, Tensor maxLogit)
    {
        for (int head = 0; head < shape.HeadCount; head++) maxLogit[head] = double.NegativeInfinity;
        for (int i = 0; i < qkv.Rows; i++)
        {
            for (int head = 0; head < shape.HeadCount; head++)
            {
                int start = starts.Integers[i];
                var scores = new double[i + 1 - start];
                for (int j = start; j <= i; j++) scores[j - start] = Score(qkv, shape, head, i, j);
                var (max, sum) = ExponentialSum(scores);
                maxLogit[head] = Math.Max(maxLogit[head], max);
                logSumExp[(long)i * shape.HeadCount + head] = max + Math.Log(sum);
                for (int d = 0; d < shape.HeadSize; d++)
                {
                    double value = 0;
                    for (int j = start; j <= i; j++)
                        value += Math.Exp(scores[j - start] - max) / sum * qkv[Value(qkv, shape, head, j) + d];
                    output[(long)i * output.Columns + head * shape.HeadSize + d] = value;
                }
            }
        }
    }

    private protected override void AttentionBackwardCore(
        Tensor dOutput, Tensor qkv, Tensor output, Tensor logSumExp, Tensor starts, AttentionShape shape, Tensor dQkv)
    {
        int HS = shape.HeadSize;
        double scale = ScoreScale(shape);
        var sums = new double[dQkv.Length];
        for (int i = 0; i < qkv.Rows; i++)
        {
            for (int head = 0; head < shape.HeadCount; head++)
            {
                long row = (long)i * output.Columns + head * HS, query = Query(qkv, shape, head, i);
                double delta = Dot(dOutput, row, output, row, HS);
                for (int j = starts.Integers[i]; j <= i; j++)
                {
                    long key = Key(qkv, shape, head, j), value = Value(qkv, shape, head, j);
                    double score = Score(qkv, shape, head, i, j);
                    double probability = Math.Exp(score - logSumExp[(long)i * shape.HeadCount + head]);
                    double dScore = probability * (Dot(dOutput, row, qkv, value, HS) - delta) * scale;
                    if (shape.Softcap > 0) dScore *= 1 - score / shape.Softcap * (score / shape.Softcap);
                    for (int d = 0; d < HS; d++)
                    {
                        sums[query + d] += dScore * qkv[key + d];
                        sums[key + d] += dScore * qkv[query + d];
                        sums[value + d] += probability * dOutput[row + d];
                    }
                }
            }
        }
        for (long i = 0; i < sums.Length; i++) dQkv[i] = sums[i];
    }

    private static double Score(Tensor qkv, AttentionShape shape, int head, int i, int j) =>
        Bounded(Dot(qkv, Query(qkv, shape, head, i), qkv, Key(qkv, shape, head, j), shape.HeadSize) * ScoreScale(shape), shape);

    private static double ScoreScale(AttentionShape shape) => shape.Scale > 0 ? shape.Scale : 1 / Math.Sqrt(shape.HeadSize);

    private static double Bounded(double score, AttentionShape shape) =>
        shape.Softcap > 0 ? shape.Softcap * Math.Tanh(score / shape.Softcap) : score;

    // Element where a head's query, key or value of a row begins.
    private static long Query(Tensor qkv, AttentionShape shape, int head, int row) => (long)row * qkv.Columns + head * shape.HeadSize;

    private static long Key(Tensor qkv, AttentionShape shape, int head, int row) =>
        Query(qkv, shape, shape.HeadCount + head / (shape.HeadCount / shape.KvHeadCount), row);

    private static long Value(Tensor qkv, AttentionShape shape, int head, int row) =>
        Query(qkv, shape, shape.HeadCount + shape.KvHeadCount + head / (shape.HeadCount / shape.KvHeadCount), row);

    /// <summary>Sum over <paramref name="count"/> products of elements of two tensors, from the given elements on.</summary>
    private static double Dot(Tensor a, long atA, Tensor b, long atB, int count)
    {
        double sum = 0;
        for (int i = 0; i < count; i++) sum += a[atA + i] * b[atB + i];
        return sum;
    }

    /// <summary>The largest score (NaN if one is) and the sum of <c>exp(score - max)</c>.</summary>
    private static (double Max, double Sum) ExponentialSum(ReadOnlySpan<double> scores)
    {
        double max = double.NegativeInfinity, sum = 0;
        foreach (double score in scores) max = Math.Max(max, score);
        foreach (double score in scores) sum += Math.Exp(score - max);
        return (max, sum);
    }
}

namespace Finery.Tensors;

public sealed partial class ReferenceKernels
{
    private protected override void AttentionDivergenceForwardCore(
        Tensor qkv, AttentionShape shape, Tensor teacherQkv, AttentionShape teacherShape, Tensor starts, Tensor tokenWeights,
        Tensor losses, Tensor saved)
    {
        int H = shape.HeadCount, teacherHeads = teacherShape.HeadCount;
        for (int i = 0; i < qkv.Rows; i++)
        {
            int start = starts.Integers[i];
            long sums = (long)i * saved.Columns;
            var heads = new double[H][];
            double[] mean = MeanAttention(qkv, shape, start, i, heads, saved, sums);
            double[] teacher = MeanAttention(teacherQkv, teacherShape, start, i, new double[teacherHeads][], saved, sums + H);
            double loss = 0;
            for (int j = 0; j < mean.Length; j++) loss += teacher[j] * Math.Log(teacher[j] / mean[j]) + mean[j] - teacher[j];
            losses[i] = tokenWeights[i] == 0 ? 0 : loss;
            for (int head = 0; head < H; head++) saved[sums + H + teacherHeads + head] = MeanSlope(heads[head], mean, teacher);
        }
    }

    private protected override void AttentionDivergenceBackwardCore(
        Tensor qkv, AttentionShape shape, Tensor teacherQkv, AttentionShape teacherShape, Tensor starts, Tensor tokenWeights,
        Tensor saved, Tensor dQkv)
    {
        double scale = ScoreScale(shape);
        var sums = new double[dQkv.Length];
        for (int i = 0; i < qkv.Rows; i++)
        {
            if (tokenWeights[i] == 0) continue;
            int start = starts.Integers[i];
            var heads = new double[shape.HeadCount][];
            double[] mean = MeanAttention(qkv, shape, start, i, heads);
            double[] teacher = MeanAttention(teacherQkv, teacherShape, start, i, new double[teacherShape.HeadCount][]);
            for (int head = 0; head < heads.Length; head++)
            {
                double average = MeanSlope(heads[head], mean, teacher);
                for (int j = 0; j < mean.Length; j++)
                {
                    long query = Query(qkv, shape, head, i), key = Key(qkv, shape, head, start + j);
                    double slope = (mean[j] - teacher[j]) / mean[j] - average;
                    double dScore = tokenWeights[i] / heads.Length * heads[head][j] * slope * scale;
                    double score = shape.Softcap > 0 ? Score(qkv, shape, head, i, start + j) / shape.Softcap : 0;
                    dScore *= 1 - score * score;
                    for (int d = 0; d < shape.HeadSize; d++)
                    {
                        sums[query + d] += dScore * qkv[key + d];
                        sums[key + d] += dScore * qkv[query + d];
                    }
                }
            }
        }
        for (long i = 0; i < sums.Length; i++) dQkv[i] += sums[i];
    }

    /// <summary>Mean over heads of the probabilities of keys <paramref name="start"/>..<paramref name="i"/>, and those of each head; their
    /// log-sum-exps go to <paramref name="saved"/>.</summary>
    private static double[] MeanAttention(
        Tensor qkv, AttentionShape shape, int start, int i, double[][] heads, Tensor? saved = null, long at = 0)
    {
        var mean = new double[i + 1 - start];
        for (int head = 0; head < heads.Length; head++)
        {
            double[] row = heads[head] = [.. Enumerable.Range(start, mean.Length).Select(j => Score(qkv, shape, head, i, j))];
            var (max, sum) = ExponentialSum(row);
            if (saved is not null) saved[at + head] = max + Math.Log(sum);
            for (int j = 0; j < row.Length; j++) mean[j] += (row[j] = Math.Exp(row[j] - max) / sum) / heads.Length;
        }
        for (int j = 0; j < mean.Length; j++) mean[j] = Math.Max(LeastAttention, mean[j]);
        return mean;
    }

    private static double MeanSlope(double[] head, double[] mean, double[] teacher) =>
        head.Select((probability, j) => probability * (mean[j] - teacher[j]) / mean[j]).Sum();
}

namespace Finery.Tensors;

public sealed partial class ReferenceKernels
{
    private protected override void AttentionForwardCore(
        Tensor qkv, Tensor starts, AttentionShape shape, Tensor output, Tensor logSumExp, Tensor maxLogit)
    {
        maxLogit.Floats.Fill(float.NegativeInfinity);
        for (int i = 0; i < qkv.Rows; i++)
        {
            for (int head = 0; head < shape.HeadCount; head++)
            {
                int start = starts.Integers[i];
                var scores = new double[i + 1 - start];
                for (int j = start; j <= i; j++) scores[j - start] = Score(qkv, shape, head, i, j);
                double max = scores.Max(), sum = scores.Sum(score => Math.Exp(score - max));
                maxLogit.Floats[head] = Math.Max(maxLogit.Floats[head], (float)max);
                logSumExp.Floats[i * shape.HeadCount + head] = (float)(max + Math.Log(sum));
                for (int d = 0; d < shape.HeadSize; d++)
                {
                    double value = 0;
                    for (int j = start; j <= i; j++) value += Math.Exp(scores[j - start] - max) / sum * Value(qkv, shape, head, j)[d];
                    output.Floats[i * output.Columns + head * shape.HeadSize + d] = (float)value;
                }
            }
        }
    }

    private protected override void AttentionBackwardCore(
        Tensor dOutput, Tensor qkv, Tensor output, Tensor logSumExp, Tensor starts, AttentionShape shape, Tensor dQkv)
    {
        int HS = shape.HeadSize;
        double scale = 1 / Math.Sqrt(HS);
        var sums = new double[dQkv.Length];
        for (int i = 0; i < qkv.Rows; i++)
        {
            for (int head = 0; head < shape.HeadCount; head++)
            {
                var gradient = dOutput.Floats.Slice(i * output.Columns + head * HS, HS);
                double delta = Dot(gradient, output.Floats.Slice(i * output.Columns + head * HS, HS));
                var query = Query(qkv, shape, head, i);
                var dQuery = sums.AsSpan(i * qkv.Columns + head * HS, HS);
                for (int j = starts.Integers[i]; j <= i; j++)
                {
                    int kvHead = head / (shape.HeadCount / shape.KvHeadCount);
                    var dKey = sums.AsSpan(j * qkv.Columns + shape.KeyOffset + kvHead * HS, HS);
                    var dValue = sums.AsSpan(j * qkv.Columns + shape.ValueOffset + kvHead * HS, HS);
                    double probability = Math.Exp(Score(qkv, shape, head, i, j) - logSumExp.Floats[i * shape.HeadCount + head]);
                    double dScore = probability * (Dot(gradient, Value(qkv, shape, head, j)) - delta) * scale;
                    for (int d = 0; d < HS; d++)
                    {
                        dQuery[d] += dScore * Key(qkv, shape, head, j)[d];
                        dKey[d] += dScore * query[d];
                        dValue[d] += probability * gradient[d];
                    }
                }
            }
        }
        for (int i = 0; i < sums.Length; i++) dQkv.Floats[i] = (float)sums[i];
    }

    private static double Score(Tensor qkv, AttentionShape shape, int head, int i, int j) =>
        Dot(Query(qkv, shape, head, i), Key(qkv, shape, head, j)) / Math.Sqrt(shape.HeadSize);

    private static Span<float> Query(Tensor qkv, AttentionShape shape, int head, int row) =>
        qkv.Floats.Slice(row * qkv.Columns + head * shape.HeadSize, shape.HeadSize);

    private static Span<float> Key(Tensor qkv, AttentionShape shape, int head, int row) =>
        Query(qkv, shape, shape.HeadCount + head / (shape.HeadCount / shape.KvHeadCount), row);

    private static Span<float> Value(Tensor qkv, AttentionShape shape, int head, int row) =>
        Query(qkv, shape, shape.HeadCount + shape.KvHeadCount + head / (shape.HeadCount / shape.KvHeadCount), row);

    private static double Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++) sum += (double)a[i] * b[i];
        return sum;
    }
}

namespace Finery.Tensors;

public sealed partial class ReferenceKernels
{
    private protected override void CachedAttentionCore(
        Tensor qkv, Tensor keys, Tensor values, int length, AttentionShape shape, Tensor output)
    {
        int HS = shape.HeadSize, width = keys.Columns;
        for (int s = 0; s < qkv.Rows; s++)
        {
            long source = (long)s * qkv.Columns, destination = (long)(length + s) * width;
            for (int d = 0; d < width; d++)
            {
                keys[destination + d] = qkv[source + shape.KeyOffset + d];
                values[destination + d] = qkv[source + shape.ValueOffset + d];
            }
            for (int head = 0; head < shape.HeadCount; head++)
            {
                int column = head / (shape.HeadCount / shape.KvHeadCount) * HS;
                var scores = new double[length + s + 1];
                for (int j = 0; j < scores.Length; j++)
                {
                    double score = Dot(qkv, Query(qkv, shape, head, s), keys, (long)j * width + column, HS) * ScoreScale(shape);
                    scores[j] = Bounded(score, shape);
                }
                var (max, sum) = ExponentialSum(scores);
                for (int d = 0; d < HS; d++)
                {
                    double value = 0;
                    for (int j = 0; j < scores.Length; j++) value += Math.Exp(scores[j] - max) / sum * values[(long)j * width + column + d];
                    output[(long)s * output.Columns + head * HS + d] = value;
                }
            }
        }
    }
}

namespace Finery.Tensors;

public sealed partial class ReferenceKernels
{
    private protected override void CachedAttentionCore(
        Tensor qkv, Tensor keys, Tensor values, int length, AttentionShape shape, Tensor output)
    {
        int HS = shape.HeadSize, width = keys.Columns;
        for (int s = 0; s < qkv.Rows; s++)
        {
            qkv.Floats.Slice(s * qkv.Columns + shape.KeyOffset, width).CopyTo(keys.Slice(length + s, 1).Floats);
            qkv.Floats.Slice(s * qkv.Columns + shape.ValueOffset, width).CopyTo(values.Slice(length + s, 1).Floats);
            for (int head = 0; head < shape.HeadCount; head++)
            {
                int column = head / (shape.HeadCount / shape.KvHeadCount) * HS;
                var weights = new double[length + s + 1];
                for (int j = 0; j < weights.Length; j++)
                    weights[j] = Dot(Query(qkv, shape, head, s), keys.Floats.Slice(j * width + column, HS)) / Math.Sqrt(HS);
                double max = weights.Max(), sum = weights.Sum(score => Math.Exp(score - max));
                for (int d = 0; d < HS; d++)
                {
                    double value = 0;
                    for (int j = 0; j < weights.Length; j++) value += Math.Exp(weights[j] - max) / sum * values.Floats[j * width + column + d];
                    output.Floats[s * output.Columns + head * HS + d] = (float)value;
                }
            }
        }
    }
}

namespace Finery.Tensors;

public sealed partial class ReferenceKernels
{
    private protected override void RopeCore(
        Tensor qkv, Tensor positions, Tensor cos, Tensor sin, AttentionShape shape, bool inverse)
    {
        int half = shape.HeadSize / 2;
        for (int row = 0; row < qkv.Rows; row++)
        {
            long table = (long)positions.Integers[row] * half;
            for (int head = 0; head < shape.HeadCount + shape.KvHeadCount; head++)
            {
                long x = Query(qkv, shape, head, row);
                for (int i = 0; i < half; i++)
                {
                    double c = cos[table + i], s = inverse ? -sin[table + i] : sin[table + i];
                    double first = qkv[x + i], second = qkv[x + i + half];
                    qkv[x + i] = first * c - second * s;
                    qkv[x + i + half] = second * c + first * s;
                }
            }
        }
    }
}

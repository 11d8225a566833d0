namespace Finery.Tensors;

public sealed partial class ReferenceKernels
{
    private protected override void RopeCore(
        Tensor qkv, Tensor positions, Tensor cos, Tensor sin, AttentionShape shape, bool inverse)
    {
        int half = shape.HeadSize / 2;
        for (int row = 0; row < qkv.Rows; row++)
        {
            int table = positions.Integers[row] * half;
            for (int head = 0; head < shape.HeadCount + shape.KvHeadCount; head++)
            {
                var x = qkv.Floats.Slice(row * qkv.Columns + head * shape.HeadSize, shape.HeadSize);
                for (int i = 0; i < half; i++)
                {
                    double c = cos.Floats[table + i], s = inverse ? -sin.Floats[table + i] : sin.Floats[table + i];
                    double first = x[i], second = x[i + half];
                    x[i] = (float)(first * c - second * s);
                    x[i + half] = (float)(second * c + first * s);
                }
            }
        }
    }
}

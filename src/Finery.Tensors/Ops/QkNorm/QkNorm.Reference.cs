namespace Finery.Tensors;

public sealed partial class ReferenceKernels
{
    private protected override void QkNormForwardCore(
        Tensor qkv, Tensor queryGain, Tensor keyGain, float epsilon, AttentionShape shape, Tensor? before, Tensor? scale)
    {
        int HS = shape.HeadSize, heads = shape.HeadCount + shape.KvHeadCount;
        for (int row = 0; row < qkv.Rows; row++)
        {
            for (int head = 0; head < heads; head++)
            {
                long x = Query(qkv, shape, head, row), kept = ((long)row * heads + head) * HS;
                var gain = head < shape.HeadCount ? queryGain : keyGain;
                double r = 1 / Math.Sqrt(Dot(qkv, x, qkv, x, HS) / HS + epsilon);
                if (scale is not null) scale[(long)row * heads + head] = r;
                for (int d = 0; d < HS; d++)
                {
                    if (before is not null) before[kept + d] = qkv[x + d];
                    qkv[x + d] = Normalized(qkv[x + d] * r, qkv.Type) * gain[d];
                }
            }
        }
    }

    private protected override void QkNormBackwardCore(
        Tensor dQkv, Tensor before, Tensor scale, Tensor queryGain, Tensor keyGain, AttentionShape shape,
        Tensor? dQueryGain, Tensor? dKeyGain)
    {
        int HS = shape.HeadSize, heads = shape.HeadCount + shape.KvHeadCount;
        var sums = new double[2 * HS];
        for (int row = 0; row < dQkv.Rows; row++)
        {
            for (int head = 0; head < heads; head++)
            {
                bool isQuery = head < shape.HeadCount;
                long dy = Query(dQkv, shape, head, row), x = ((long)row * heads + head) * HS;
                var gain = isQuery ? queryGain : keyGain;
                double r = scale[(long)row * heads + head], projection = 0;
                for (int d = 0; d < HS; d++)
                {
                    projection += dQkv[dy + d] * gain[d] * before[x + d] / HS;
                    sums[(isQuery ? 0 : HS) + d] += dQkv[dy + d] * before[x + d] * r;
                }
                for (int d = 0; d < HS; d++) dQkv[dy + d] = r * dQkv[dy + d] * gain[d] - before[x + d] * r * r * r * projection;
            }
        }
        for (int d = 0; d < HS && dQueryGain is not null; d++) dQueryGain[d] += sums[d];
        for (int d = 0; d < HS && dKeyGain is not null; d++) dKeyGain[d] += sums[HS + d];
    }
}

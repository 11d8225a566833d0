namespace Finery.Tensors;

public sealed partial class ReferenceKernels
{
    private protected override void RmsNormForwardCore(
        Tensor h, Tensor? x, Tensor weight, float epsilon, Tensor residual, Tensor scale, Tensor y)
    {
        long D = h.Columns;
        for (int i = 0; i < h.Rows; i++)
        {
            double squares = 0;
            for (long d = i * D; d < (i + 1) * D; d++)
            {
                residual[d] = x is null ? h[d] : h[d] + x[d];
                squares += residual[d] * residual[d];
            }
            double r = 1 / Math.Sqrt(squares / D + epsilon);
            scale[i] = r;
            for (long d = 0; d < D; d++) y[i * D + d] = Normalized(residual[i * D + d] * r, y.Type) * weight[d];
        }
    }

    // Narrower activations are rounded before the gain: the order of Hugging Face and Meta (pretraining reference 1.2).
    private static double Normalized(double value, DType type) => type == DType.BF16 ? (float)(BFloat16)(float)value : value;

    private protected override void RmsNormBackwardCore(
        Tensor dy, Tensor residual, Tensor scale, Tensor weight, Tensor dResidual, Tensor? dWeight, bool accumulate)
    {
        long D = dy.Columns;
        var weightSums = new double[D];
        for (int i = 0; i < dy.Rows; i++)
        {
            double r = scale[i], projection = 0;
            for (long d = 0, at = i * D; d < D; d++, at++)
            {
                projection += dy[at] * weight[d] * residual[at] / D;
                weightSums[d] += dy[at] * residual[at] * r;
            }
            for (long d = 0, at = i * D; d < D; d++, at++)
            {
                double value = r * dy[at] * weight[d] - residual[at] * r * r * r * projection;
                dResidual[at] = accumulate ? dResidual[at] + value : value;
            }
        }
        for (long d = 0; d < D && dWeight is not null; d++) dWeight[d] += weightSums[d];
    }
}

namespace Finery.Tensors;

public sealed partial class ReferenceKernels
{
    private protected override void RmsNormForwardCore(
        Tensor h, Tensor? x, Tensor weight, float epsilon, Tensor residual, Tensor scale, Tensor y)
    {
        int D = h.Columns;
        for (int i = 0; i < h.Rows; i++)
        {
            var row = residual.Floats.Slice(i * D, D);
            double squares = 0;
            for (int d = 0; d < D; d++)
            {
                row[d] = x is null ? h.Floats[i * D + d] : h.Floats[i * D + d] + x.Floats[i * D + d];
                squares += (double)row[d] * row[d];
            }
            double r = 1 / Math.Sqrt(squares / D + epsilon);
            scale.Floats[i] = (float)r;
            for (int d = 0; d < D; d++) y.Floats[i * D + d] = (float)(row[d] * r * weight.Floats[d]);
        }
    }

    private protected override void RmsNormBackwardCore(
        Tensor dy, Tensor residual, Tensor scale, Tensor weight, Tensor dResidual, Tensor? dWeight, bool accumulate)
    {
        int D = dy.Columns;
        var weightSums = new double[D];
        for (int i = 0; i < dy.Rows; i++)
        {
            var gradient = dy.Floats.Slice(i * D, D);
            var row = residual.Floats.Slice(i * D, D);
            var destination = dResidual.Floats.Slice(i * D, D);
            double r = scale.Floats[i], projection = 0;
            for (int d = 0; d < D; d++)
            {
                projection += (double)gradient[d] * weight.Floats[d] * row[d] / D;
                weightSums[d] += gradient[d] * row[d] * r;
            }
            for (int d = 0; d < D; d++)
            {
                double value = r * gradient[d] * weight.Floats[d] - row[d] * r * r * r * projection;
                destination[d] = (float)(accumulate ? destination[d] + value : value);
            }
        }
        for (int d = 0; d < D && dWeight is not null; d++) dWeight.Floats[d] = (float)(dWeight.Floats[d] + weightSums[d]);
    }
}

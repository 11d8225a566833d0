namespace Finery.Tensors;

public sealed partial class ReferenceKernels
{
    private protected override void RowDistanceCore(
        Tensor y, Tensor target, Tensor tokenWeights, RowMeasure measure, Tensor losses, Tensor? dy)
    {
        long D = y.Columns;
        for (long n = 0; n < y.Rows; n++)
        {
            double weight = tokenWeights[n], squares = 0, yy = 0, tt = 0, yt = 0;
            for (long i = n * D; i < (n + 1) * D; i++)
            {
                squares += (y[i] - target[i]) * (y[i] - target[i]);
                yy += y[i] * y[i];
                tt += target[i] * target[i];
                yt += y[i] * target[i];
            }
            double norms = Math.Sqrt(yy) * Math.Sqrt(tt);
            bool flat = norms == 0;
            double loss = measure == RowMeasure.Square ? squares / D : flat ? 1 : 1 - yt / norms;
            losses[n] = weight == 0 ? 0 : loss;
            for (long i = n * D; i < (n + 1) * D && dy is not null; i++)
            {
                double slope = measure == RowMeasure.Square ? 2 * (y[i] - target[i]) / D
                    : flat ? 0 : (y[i] * yt / yy - target[i]) / norms;
                dy[i] = weight == 0 ? 0 : weight * slope;
            }
        }
    }
}

namespace Finery.Tensors;

public sealed partial class ReferenceKernels
{
    private protected override void LinearForwardCore(Tensor x, Tensor weight, Tensor y, Tensor? residual)
    {
        int inputs = x.Columns;
        for (long n = 0; n < x.Rows; n++)
        {
            for (long o = 0, i = n * weight.Rows; o < weight.Rows; o++, i++)
                y[i] = Dot(x, n * inputs, weight, o * inputs, inputs) + (residual is null ? 0 : residual[i]);
        }
    }

    private protected override void LinearBackwardCore(Tensor dy, Tensor x, Tensor weight, Tensor? dx, Tensor? dWeight)
    {
        long rows = x.Rows, outputs = weight.Rows, inputs = x.Columns;
        for (long i = 0; i < inputs; i++)
        {
            for (long n = 0; n < rows && dx is not null; n++)
            {
                double sum = 0;
                for (long o = 0; o < outputs; o++) sum += dy[n * outputs + o] * weight[o * inputs + i];
                dx[n * inputs + i] = sum;
            }
            for (long o = 0; o < outputs && dWeight is not null; o++)
            {
                double sum = dWeight[o * inputs + i];
                for (long n = 0; n < rows; n++) sum += dy[n * outputs + o] * x[n * inputs + i];
                dWeight[o * inputs + i] = sum;
            }
        }
    }
}

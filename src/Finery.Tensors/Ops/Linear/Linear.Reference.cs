namespace Finery.Tensors;

public sealed unsafe partial class ReferenceKernels
{
    private protected override void LinearForwardCore(Tensor x, Tensor weight, Tensor y)
    {
        float* a = x.FloatPointer, w = weight.FloatPointer, c = y.FloatPointer;
        long outputs = weight.Rows, inputs = x.Columns;
        for (long n = 0; n < x.Rows; n++)
        {
            for (long o = 0; o < outputs; o++)
            {
                double sum = 0;
                for (long i = 0; i < inputs; i++) sum += (double)a[n * inputs + i] * w[o * inputs + i];
                c[n * outputs + o] = (float)sum;
            }
        }
    }

    private protected override void LinearBackwardCore(Tensor dy, Tensor x, Tensor weight, Tensor? dx, Tensor? dWeight)
    {
        float* g = dy.FloatPointer, a = x.FloatPointer, w = weight.FloatPointer;
        long rows = x.Rows, outputs = weight.Rows, inputs = x.Columns;
        float* da = dx is null ? null : dx.FloatPointer, dw = dWeight is null ? null : dWeight.FloatPointer;
        for (long i = 0; i < inputs; i++)
        {
            for (long n = 0; n < rows && da != null; n++)
            {
                double sum = 0;
                for (long o = 0; o < outputs; o++) sum += (double)g[n * outputs + o] * w[o * inputs + i];
                da[n * inputs + i] = (float)sum;
            }
            for (long o = 0; o < outputs && dw != null; o++)
            {
                double sum = dw[o * inputs + i];
                for (long n = 0; n < rows; n++) sum += (double)g[n * outputs + o] * a[n * inputs + i];
                dw[o * inputs + i] = (float)sum;
            }
        }
    }
}

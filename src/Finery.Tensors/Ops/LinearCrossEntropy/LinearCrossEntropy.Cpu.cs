namespace Finery.Tensors;

public sealed unsafe partial class CpuKernels
{
    private protected override void LinearCrossEntropyForwardCore(Tensor x, Tensor weight, Tensor targets, Tensor losses)
    {
        var logits = new double[weight.Rows];
        for (int n = 0; n < x.Rows; n++)
        {
            int target = targets.IntegerPointer[n];
            losses.FloatPointer[n] = target < 0 ? 0 : (float)(Logits(x, weight, n, logits) - logits[target]);
        }
    }

    private protected override void LinearCrossEntropyForwardBackwardCore(
        Tensor x, Tensor weight, Tensor targets, Tensor tokenWeights, Tensor losses, Tensor dx, Tensor? dWeight)
    {
        LinearCrossEntropyForwardCore(x, weight, targets, losses);
        long width = x.Columns;
        float* a = x.FloatPointer, w = weight.FloatPointer, da = dx.FloatPointer, dw = dWeight is null ? null : dWeight.FloatPointer;
        var logits = new double[weight.Rows];
        var row = new double[width];
        var sums = new double[dw == null ? 0 : weight.Length];
        for (int n = 0; n < x.Rows; n++)
        {
            Array.Clear(row);
            int target = targets.IntegerPointer[n];
            if (target >= 0)
            {
                double logSum = Logits(x, weight, n, logits);
                for (int v = 0; v < logits.Length; v++)
                {
                    double dz = tokenWeights.FloatPointer[n] * (Math.Exp(logits[v] - logSum) - (v == target ? 1 : 0));
                    for (long i = 0; i < width; i++)
                    {
                        row[i] += dz * w[v * width + i];
                        if (dw != null) sums[v * width + i] += dz * a[n * width + i];
                    }
                }
            }
            for (long i = 0; i < width; i++) da[n * width + i] = (float)row[i];
        }
        for (long i = 0; i < sums.Length; i++) dw[i] = (float)(dw[i] + sums[i]);
    }

    /// <summary>Fills the logits of row <paramref name="n"/> and returns their log-sum-exp.</summary>
    private static double Logits(Tensor x, Tensor weight, int n, double[] logits)
    {
        long width = x.Columns;
        for (long v = 0; v < logits.Length; v++)
        {
            logits[v] = 0;
            for (long i = 0; i < width; i++)
                logits[v] += (double)x.FloatPointer[n * width + i] * weight.FloatPointer[v * width + i];
        }
        double max = logits.Max();
        return max + Math.Log(logits.Sum(logit => Math.Exp(logit - max)));
    }
}

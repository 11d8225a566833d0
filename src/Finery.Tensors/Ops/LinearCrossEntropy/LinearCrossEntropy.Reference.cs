namespace Finery.Tensors;

public sealed partial class ReferenceKernels
{
    private protected override void LinearCrossEntropyForwardCore(
        Tensor x, Tensor weight, Tensor targets, Tensor losses, CrossEntropyOptions options, Tensor? logSumExp)
    {
        var logits = new double[weight.Rows];
        for (int n = 0; n < x.Rows; n++)
        {
            int target = targets.Integers[n];
            double logSum = target < 0 ? 0 : Logits(x, weight, n, logits, options);
            losses[n] = target < 0 ? 0 : logSum - logits[target] + options.ZLoss * logSum * logSum;
            if (logSumExp is not null) logSumExp[n] = logSum;
        }
    }

    private protected override void LinearCrossEntropyForwardBackwardCore(
        Tensor x, Tensor weight, Tensor targets, Tensor tokenWeights, Tensor losses, Tensor dx, Tensor? dWeight,
        CrossEntropyOptions options, Tensor? logSumExp)
    {
        LinearCrossEntropyForwardCore(x, weight, targets, losses, options, logSumExp);
        long width = x.Columns;
        var logits = new double[weight.Rows];
        var row = new double[width];
        var sums = new double[dWeight?.Length ?? 0];
        for (int n = 0; n < x.Rows; n++)
        {
            Array.Clear(row);
            int target = targets.Integers[n];
            if (target >= 0)
            {
                double logSum = Logits(x, weight, n, logits, options);
                for (int v = 0; v < logits.Length; v++)
                {
                    double probability = Math.Exp(logits[v] - logSum);
                    double dz = tokenWeights[n] * options.Slope(logits[v])
                        * ((1 + 2 * options.ZLoss * logSum) * probability - (v == target ? 1 : 0));
                    for (long i = 0; i < width; i++)
                    {
                        row[i] += dz * weight[v * width + i];
                        if (dWeight is not null) sums[v * width + i] += dz * x[n * width + i];
                    }
                }
            }
            for (long i = 0; i < width; i++) dx[n * width + i] = row[i];
        }
        for (long i = 0; i < sums.Length; i++) dWeight![i] += sums[i];
    }

    /// <summary>Fills the logits of row <paramref name="n"/> and returns their log-sum-exp.</summary>
    private static double Logits(Tensor x, Tensor weight, int n, double[] logits, CrossEntropyOptions options)
    {
        int width = x.Columns;
        for (long v = 0; v < logits.Length; v++) logits[v] = options.Cap(Dot(x, (long)n * width, weight, v * width, width));
        var (max, sum) = ExponentialSum(logits);
        return max + Math.Log(sum);
    }
}

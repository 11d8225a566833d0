namespace Finery.Tensors;

public sealed partial class ReferenceKernels
{
    private protected override void LinearDivergenceCore(
        Tensor x, Tensor weight, Tensor teacherX, Tensor teacherWeight, Tensor tokenWeights, DivergenceOptions options,
        Tensor losses, Tensor? dx, Tensor? dWeight)
    {
        int V = weight.Rows;
        long D = x.Columns;
        double tau = options.Temperature;
        var (student, teacher, dz) = (new double[V], new double[V], new double[V]);
        var sums = new double[dWeight?.Length ?? 0];
        for (int n = 0; n < x.Rows; n++)
        {
            losses[n] = 0;
            Array.Clear(dz);
            if (tokenWeights[n] != 0)
            {
                LogSoftmax(x, weight, n, tau, student);
                LogSoftmax(teacherX, teacherWeight, n, tau, teacher);
                double divergence = Divergence(options.Kind, student, teacher, dz);
                losses[n] = tau * tau * divergence;
            }
            for (long d = 0; d < D && dx is not null; d++)
            {
                double sum = 0;
                for (int v = 0; v < V; v++)
                {
                    double gradient = tokenWeights[n] * tau * dz[v];
                    sum += gradient * weight[v * D + d];
                    if (dWeight is not null) sums[v * D + d] += gradient * x[n * D + d];
                }
                dx[n * D + d] = sum;
            }
        }
        for (long i = 0; i < sums.Length; i++) dWeight![i] += sums[i];
    }

    /// <summary>The divergence of two vectors of log probabilities, and its gradient with respect to the student's logits over tau.</summary>
    private static double Divergence(Divergence kind, double[] student, double[] teacher, double[] gradient)
    {
        double divergence = 0, mean = 0;
        for (int v = 0; v < student.Length; v++)
        {
            double p = Math.Exp(teacher[v]), q = Math.Exp(student[v]), middle = LogMean(student[v], teacher[v]);
            divergence += kind switch
            {
                Tensors.Divergence.Forward => p * (teacher[v] - student[v]),
                Tensors.Divergence.Reverse => q * (student[v] - teacher[v]),
                _ => (p * (teacher[v] - middle) + q * (student[v] - middle)) / 2,
            };
            mean += kind == Tensors.Divergence.JensenShannon ? q * (student[v] - middle) / 2 : 0;
        }
        for (int v = 0; v < student.Length; v++)
        {
            double p = Math.Exp(teacher[v]), q = Math.Exp(student[v]);
            gradient[v] = kind switch
            {
                Tensors.Divergence.Forward => q - p,
                Tensors.Divergence.Reverse => q * (student[v] - teacher[v] - divergence),
                _ => q * ((student[v] - LogMean(student[v], teacher[v])) / 2 - mean),
            };
        }
        return divergence;
    }

    /// <summary>Logarithm of the mean of two numbers given by their logarithms.</summary>
    private static double LogMean(double a, double b) => Math.Max(a, b) + Math.Log((1 + Math.Exp(-Math.Abs(a - b))) / 2);

    /// <summary>Log probabilities of row <paramref name="n"/> at a temperature.</summary>
    private static void LogSoftmax(Tensor x, Tensor weight, int n, double temperature, double[] result)
    {
        int width = x.Columns;
        for (int v = 0; v < result.Length; v++) result[v] = Dot(x, (long)n * width, weight, (long)v * width, width) / temperature;
        var (max, sum) = ExponentialSum(result);
        for (int v = 0; v < result.Length; v++) result[v] -= max + Math.Log(sum);
    }
}

namespace Finery.Tensors;

public sealed partial class ReferenceKernels
{
    private protected override void LinearSparseTargetsCore(
        Tensor x, Tensor weight, Tensor targets, Tensor tokenWeights, Tensor softIds, Tensor probabilities, Tensor softWeights,
        SparseTargetOptions options, Tensor losses, Tensor divergences, Tensor logProbabilities, Tensor? dx, Tensor? dWeight,
        Tensor? logSumExp)
    {
        int V = weight.Rows, K = softIds.Columns;
        long D = x.Columns;
        double tau = options.Temperature;
        var (logits, tempered, dz) = (new double[V], new double[V], new double[V]);
        var sums = new double[dWeight?.Length ?? 0];
        for (int n = 0; n < x.Rows; n++)
        {
            Array.Clear(dz);
            int target = targets.Integers[n];
            double hard = tokenWeights[n], soft = softWeights[n];
            double logSum = target >= 0 || soft != 0 ? Logits(x, weight, n, logits, options.Head) : 0;
            if (logSumExp is not null) logSumExp[n] = target < 0 ? 0 : logSum;
            losses[n] = target < 0 ? 0 : logSum - logits[target] + options.Head.ZLoss * logSum * logSum;
            for (int v = 0; v < V && target >= 0; v++)
                dz[v] = hard * ((1 + 2 * options.Head.ZLoss * logSum) * Math.Exp(logits[v] - logSum) - (v == target ? 1 : 0));

            divergences[n] = 0;
            for (int k = 0; k < K; k++) logProbabilities[n * (long)K + k] = 0;
            if (soft != 0)
            {
                for (int v = 0; v < V; v++) tempered[v] = logits[v] / tau;
                var (max, sum) = ExponentialSum(tempered);
                for (int v = 0; v < V; v++) tempered[v] -= max + Math.Log(sum);
                divergences[n] = tau * tau * SparseDivergence(
                    n, softIds, probabilities, tempered, options.Remainder, tau * soft, dz, logProbabilities);
            }
            for (int v = 0; v < V && dx is not null; v++) dz[v] *= options.Head.Slope(logits[v]);
            for (long d = 0; d < D && dx is not null; d++)
            {
                double sum = 0;
                for (int v = 0; v < V; v++)
                {
                    sum += dz[v] * weight[v * D + d];
                    if (dWeight is not null) sums[v * D + d] += dz[v] * x[n * D + d];
                }
                dx[n * D + d] = sum;
            }
        }
        for (long i = 0; i < sums.Length; i++) dWeight![i] += sums[i];
    }

    /// <summary>Divergence of a row from its K targets; adds <paramref name="factor"/> times its gradient to <paramref name="dz"/>.</summary>
    private static double SparseDivergence(
        int row, Tensor softIds, Tensor probabilities, double[] logQ, bool remainder, double factor, double[] dz, Tensor logProbabilities)
    {
        int K = softIds.Columns;
        var listed = new HashSet<int>();
        double divergence = 0, mass = 0;
        for (long i = (long)row * K; i < (row + 1L) * K; i++)
        {
            int id = softIds.Integers[(int)i];
            if (id < 0) continue;
            double p = probabilities[i];
            listed.Add(id);
            mass += p;
            logProbabilities[i] = logQ[id];
            divergence += p == 0 ? 0 : p * (Math.Log(p) - logQ[id]);
            dz[id] -= factor * p;
        }
        double left = Math.Max(0, 1 - mass), rest = 0;
        bool bucket = remainder && listed.Count < logQ.Length;
        for (int v = 0; v < logQ.Length; v++) rest += listed.Contains(v) ? 0 : Math.Exp(logQ[v]);
        if (bucket) divergence += left == 0 ? 0 : left * Math.Log(left / rest);
        for (int v = 0; v < logQ.Length; v++)
            dz[v] += factor * Math.Exp(logQ[v]) * (!bucket ? mass : listed.Contains(v) ? mass + left : mass + left - left / rest);
        return divergence;
    }
}

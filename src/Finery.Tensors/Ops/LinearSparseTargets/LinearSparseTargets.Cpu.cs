namespace Finery.Tensors;

public sealed unsafe partial class CpuKernels
{
    private protected override void LinearSparseTargetsCore(
        Tensor x, Tensor weight, Tensor targets, Tensor tokenWeights, Tensor softIds, Tensor probabilities, Tensor softWeights,
        SparseTargetOptions options, Tensor losses, Tensor divergences, Tensor logProbabilities, Tensor? dx, Tensor? dWeight,
        Tensor? logSumExp)
    {
        losses.Floats.Clear();
        divergences.Floats.Clear();
        logProbabilities.Floats.Clear();
        logSumExp?.Floats.Clear();
        var buffers = BuffersOfHead(x, weight);
        Head(x, weight, buffers, new SparseTargetRows(
            buffers, weight.Rows, softIds.Columns, targets.IntegerPointer, tokenWeights.FloatPointer, softIds.IntegerPointer,
            probabilities.FloatPointer, softWeights.FloatPointer, losses.FloatPointer, divergences.FloatPointer,
            logProbabilities.FloatPointer, logSumExp is null ? null : logSumExp.FloatPointer, options, dx is not null), dx, dWeight);
    }

    /// <summary>Both losses of one row of logits, which their gradient replaces.</summary>
    private readonly struct SparseTargetRows(
        HeadBuffers buffers, int vocabulary, int K, int* targets, float* tokenWeights, int* softIds, float* probabilities, float* softWeights,
        float* losses, float* divergences, float* logProbabilities, float* logSums, SparseTargetOptions options, bool gradient) : IHeadRows
    {
        // Its exponential is zero: a listed logit that far below the maximum leaves the sum of the others alone.
        private const float Gone = 200;

        // Less than this of the student's probability counts as this: a gradient stays finite.
        private const double Least = 1e-30;

        public bool Wants(int row) => targets[row] >= 0 || softWeights[row] != 0;

        public void Run(int task, int worker)
        {
            float* row = buffers.Logits + (long)task * vocabulary;
            int index = buffers.Indices[task], target = targets[index];
            float soft = softWeights[index];
            bool capped = options.Head.Softcap > 0, tempered = soft != 0 && options.Temperature != 1;
            if (capped) SoftcapRow.Apply(row, vocabulary, options.Head);
            float max = SoftmaxRow.Max(row, vocabulary), logit = target >= 0 ? row[target] : 0;

            int* ids = softIds + (long)index * K;
            float* listed = logProbabilities + (long)index * K;
            bool bucket = soft != 0 && options.Remainder && TakeOut(row, ids, listed, max);
            for (int k = 0; k < K && soft != 0 && !bucket; k++) listed[k] = ids[k] < 0 ? 0 : row[ids[k]];

            double sum = SoftmaxRow.ExpSum(row, vocabulary, max, store: gradient && !capped && !tempered), rest = sum;
            for (int k = 0; k < K && bucket; k++) sum += ids[k] < 0 ? 0 : Math.Exp((double)listed[k] - max);
            double logSum = Math.Log(sum) + max;
            if (target >= 0 && logSums is not null) logSums[index] = (float)logSum;
            float zLoss = options.Head.ZLoss;
            double hard = target < 0 ? 0 : tokenWeights[index] * (1 + 2 * zLoss * logSum);
            if (target >= 0) losses[index] = (float)(Math.Log(sum) + ((double)max - logit) + zLoss * logSum * logSum);

            double temperature = options.Temperature;
            double temperedSum = tempered ? TemperedRow.ExpSum(row, vocabulary, max, options.Temperature) : sum;
            var (divergence, mass) = soft == 0 ? default : Divergence(ids, probabilities + (long)index * K, listed, max, temperedSum);
            double left = bucket ? Math.Max(0, 1 - mass) : 0, share = Math.Max(rest / sum, Least);
            if (bucket) mass += left;
            // Where nothing is left of the teacher there is no term, whatever the student has.
            if (!(left <= 0)) divergence += left * Math.Log(left / share);
            if (soft != 0) divergences[index] = (float)(temperature * temperature * divergence);
            if (!gradient) return;

            double pull = soft * temperature * mass;
            double push = left <= 0 ? 0 : soft * left / share;
            if (tempered) TemperedRow.Gradient(row, vocabulary, max, (float)(hard / sum), (float)(pull / temperedSum), options);
            else
            {
                float factor = (float)((hard + pull - push) / sum);
                if (capped) SoftcapRow.Gradient(row, vocabulary, max, factor, options.Head);
                else SoftmaxRow.Scale(row, vocabulary, factor);
            }
            for (int k = 0; k < K && soft != 0; k++)
            {
                if (ids[k] < 0) continue;
                double p = probabilities[(long)index * K + k], slope = options.Head.Slope(CappedLogit(listed[k], max, temperedSum));
                if (bucket) row[ids[k]] = (float)((hard + pull) * Math.Exp(listed[k]) * slope);
                row[ids[k]] -= (float)(soft * temperature * p * slope);
            }
            if (target >= 0) row[target] -= (float)(tokenWeights[index] * options.Head.Slope(logit));
        }

        /// <summary>Moves the listed logits from the row to <paramref name="listed"/>; false, and nothing done, where all are listed.</summary>
        private bool TakeOut(float* row, int* ids, float* listed, float max)
        {
            int count = 0;
            for (int k = 0; k < K; k++) count += ids[k] < 0 ? 0 : 1;
            if (count == vocabulary) return false;
            for (int k = 0; k < K; k++)
            {
                if (ids[k] < 0) continue;
                listed[k] = row[ids[k]];
                row[ids[k]] = max - Gone;
            }
            return true;
        }

        /// <summary>Divergence without bucket and the sum of the probabilities; log-probabilities replace the listed logits.</summary>
        private (double Divergence, double Mass) Divergence(int* ids, float* p, float* listed, float max, double temperedSum)
        {
            double divergence = 0, mass = 0, logSum = Math.Log(temperedSum);
            for (int k = 0; k < K; k++)
            {
                if (ids[k] < 0) continue;
                double logQ = ((double)listed[k] - max) / options.Temperature - logSum;
                divergence += p[k] == 0 ? 0 : p[k] * (Math.Log(p[k]) - logQ);
                mass += p[k];
                listed[k] = (float)logQ;
            }
            return (divergence, mass);
        }

        /// <summary>The bounded logit behind a log-probability.</summary>
        private double CappedLogit(float logQ, float max, double temperedSum) =>
            max + options.Temperature * (logQ + Math.Log(temperedSum));
    }
}

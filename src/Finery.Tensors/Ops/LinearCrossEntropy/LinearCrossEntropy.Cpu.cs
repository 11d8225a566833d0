namespace Finery.Tensors;

public sealed unsafe partial class CpuKernels
{
    // Rows of logits at once, fewer where that makes more than 128 MiB. Sums over tokens in dWeight are cut at chunks, so neither
    // constant may depend on the machine.
    private const int MaxChunkRows = 512, MinChunkRows = 48;
    private const int LogitBudget = 32 << 20;

    // A head of at most so many weights (16 MiB) is packed once for all chunks: it stays in the L3 cache.
    private const long PackedHead = 4 << 20;

    private readonly Scratch _head = new();
    private readonly PackedPanels _headForward = new(), _headBackward = new();

    private protected override void LinearCrossEntropyForwardCore(
        Tensor x, Tensor weight, Tensor targets, Tensor losses, CrossEntropyOptions options, Tensor? logSumExp) =>
        Head(x, weight, targets, null, losses, null, null, options, logSumExp);

    private protected override void LinearCrossEntropyForwardBackwardCore(
        Tensor x, Tensor weight, Tensor targets, Tensor tokenWeights, Tensor losses, Tensor dx, Tensor? dWeight,
        CrossEntropyOptions options, Tensor? logSumExp) =>
        Head(x, weight, targets, tokenWeights, losses, dx, dWeight, options, logSumExp);

    private static int HeadChunk(int rows, int vocabulary) =>
        Math.Min(rows, Math.Clamp(LogitBudget / Math.Max(1, vocabulary), MinChunkRows, MaxChunkRows));

    /// <summary>Gathers the rows that have a target, chunk by chunk, so that others cost nothing.</summary>
    private void Head(
        Tensor x, Tensor weight, Tensor targets, Tensor? tokenWeights, Tensor losses, Tensor? dx, Tensor? dWeight,
        CrossEntropyOptions options, Tensor? logSumExp)
    {
        int width = x.Columns, vocabulary = weight.Rows;
        losses.Floats.Clear();
        if (logSumExp is not null) logSumExp.Floats.Clear();
        int chunkRows = HeadChunk(x.Rows, vocabulary);
        int elementBytes = x.Type.ByteSize();
        long gathered = (long)chunkRows * width;
        float* logits = _head.Floats((long)chunkRows * vocabulary + 2 * gathered + chunkRows);
        float* rows = logits + (long)chunkRows * vocabulary, gradients = rows + gathered;
        int* indices = (int*)(gradients + gathered);
        bool packs = x.Rows > chunkRows && weight.Length <= PackedHead;
        if (packs)
        {
            _gemm.Pack(vocabulary, width, Matrix(weight).Transposed, _headForward);
            if (dx is not null) _gemm.Pack(width, vocabulary, Matrix(weight), _headBackward);
        }

        for (int next = 0; next < x.Rows;)
        {
            int count = 0;
            for (; next < x.Rows && count < chunkRows; next++)
            {
                if (targets.IntegerPointer[next] >= 0) indices[count++] = next;
                else if (dx is not null) dx.RowBytes(next).Clear();
            }
            if (count == 0) break;
            bool together = indices[count - 1] - indices[0] == count - 1;
            for (int i = 0; i < count && !together; i++)
                x.RowBytes(indices[i]).CopyTo(new Span<byte>((byte*)rows + (long)i * width * elementBytes, width * elementBytes));

            var chunk = together ? Matrix(x).From(indices[0], 0) : new StridedMatrix(rows, x.Type, width, 1);
            var dz = StridedMatrix.RowMajor(logits, vocabulary);
            _gemm.Multiply(count, vocabulary, width, chunk, Matrix(weight).Transposed, logits, vocabulary, add: false, packs ? _headForward : null);
            _pool.For(count, new CrossEntropyRows(
                logits, vocabulary, indices, targets.IntegerPointer, tokenWeights is null ? null : tokenWeights.FloatPointer,
                losses.FloatPointer, logSumExp is null ? null : logSumExp.FloatPointer, options));
            if (dx is not null)
            {
                bool inPlace = together && dx.Type == DType.F32;
                float* destination = inPlace ? dx.FloatPointer + (long)indices[0] * width : gradients;
                _gemm.Multiply(count, width, vocabulary, dz, Matrix(weight), destination, width, add: false, packs ? _headBackward : null);
                for (int i = 0; i < count && !inPlace; i++) CopyRow(gradients + (long)i * width, dx, indices[i]);
            }
            if (dWeight is not null)
                _gemm.Multiply(vocabulary, width, count, dz.Transposed, chunk, dWeight.FloatPointer, width, add: true);
        }
    }

    private static void CopyRow(float* source, Tensor destination, int row)
    {
        long first = (long)row * destination.Columns;
        if (destination.Type == DType.F32)
        {
            new Span<float>(source, destination.Columns).CopyTo(new(destination.FloatPointer + first, destination.Columns));
            return;
        }
        var to = (BFloat16*)destination.Pointer + first;
        for (int i = 0; i < destination.Columns; i++) to[i] = (BFloat16)source[i];
    }

    /// <summary>The loss of one row of logits, which its gradient replaces where there are token weights.</summary>
    private readonly struct CrossEntropyRows(
        float* logits, int vocabulary, int* indices, int* targets, float* tokenWeights, float* losses, float* logSumExp,
        CrossEntropyOptions options) : IParallelBody
    {
        public void Run(int task, int worker)
        {
            float* row = logits + (long)task * vocabulary;
            int index = indices[task], target = targets[index];
            bool capped = options.Softcap > 0;
            if (capped) SoftcapRow.Apply(row, vocabulary, options);
            float max = SoftmaxRow.Max(row, vocabulary), logit = row[target];
            bool gradient = tokenWeights != null;
            double sum = SoftmaxRow.ExpSum(row, vocabulary, max, store: gradient && !capped);
            double logSum = Math.Log(sum) + max;
            losses[index] = (float)(Math.Log(sum) + ((double)max - logit) + options.ZLoss * logSum * logSum);
            if (logSumExp != null) logSumExp[index] = (float)logSum;
            if (!gradient) return;
            float weight = tokenWeights[index], factor = (float)(weight * (1 + 2 * options.ZLoss * logSum) / sum);
            if (capped) SoftcapRow.Gradient(row, vocabulary, max, factor, options);
            else SoftmaxRow.Scale(row, vocabulary, factor);
            row[target] -= (float)(weight * options.Slope(logit));
        }
    }
}

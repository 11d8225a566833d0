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
        CrossEntropy(x, weight, targets, null, losses, null, null, options, logSumExp);

    private protected override void LinearCrossEntropyForwardBackwardCore(
        Tensor x, Tensor weight, Tensor targets, Tensor tokenWeights, Tensor losses, Tensor dx, Tensor? dWeight,
        CrossEntropyOptions options, Tensor? logSumExp) =>
        CrossEntropy(x, weight, targets, tokenWeights, losses, dx, dWeight, options, logSumExp);

    private void CrossEntropy(
        Tensor x, Tensor weight, Tensor targets, Tensor? tokenWeights, Tensor losses, Tensor? dx, Tensor? dWeight,
        CrossEntropyOptions options, Tensor? logSumExp)
    {
        losses.Floats.Clear();
        if (logSumExp is not null) logSumExp.Floats.Clear();
        var buffers = BuffersOfHead(x, weight);
        Head(x, weight, buffers, new CrossEntropyRows(
            buffers, weight.Rows, targets.IntegerPointer, tokenWeights is null ? null : tokenWeights.FloatPointer,
            losses.FloatPointer, logSumExp is null ? null : logSumExp.FloatPointer, options), dx, dWeight);
    }

    private static int HeadChunk(int rows, int vocabulary) =>
        Math.Min(rows, Math.Clamp(LogitBudget / Math.Max(1, vocabulary), MinChunkRows, MaxChunkRows));

    private HeadBuffers BuffersOfHead(Tensor x, Tensor weight)
    {
        int chunkRows = HeadChunk(x.Rows, weight.Rows);
        long gathered = (long)chunkRows * x.Columns, all = (long)chunkRows * weight.Rows;
        float* logits = _head.Floats(all + 2 * gathered + chunkRows);
        return new(chunkRows, logits, logits + all, logits + all + gathered, (int*)(logits + all + 2 * gathered));
    }

    /// <summary>Gathers the rows that are wanted, chunk by chunk, so that others cost nothing; makes their logits, lets
    /// <paramref name="body"/> replace those by gradients, and multiplies back.</summary>
    private void Head<TRows>(Tensor x, Tensor weight, in HeadBuffers buffers, in TRows body, Tensor? dx, Tensor? dWeight)
        where TRows : struct, IHeadRows
    {
        int width = x.Columns, vocabulary = weight.Rows, chunkRows = buffers.ChunkRows;
        int elementBytes = x.Type.ByteSize();
        int* indices = buffers.Indices;
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
                if (body.Wants(next)) indices[count++] = next;
                else if (dx is not null) dx.RowBytes(next).Clear();
            }
            if (count == 0) break;
            bool together = indices[count - 1] - indices[0] == count - 1;
            for (int i = 0; i < count && !together; i++)
                x.RowBytes(indices[i]).CopyTo(new Span<byte>((byte*)buffers.Rows + (long)i * width * elementBytes, width * elementBytes));

            var chunk = together ? Matrix(x).From(indices[0], 0) : new StridedMatrix(buffers.Rows, x.Type, width, 1);
            var dz = StridedMatrix.RowMajor(buffers.Logits, vocabulary);
            _gemm.Multiply(
                count, vocabulary, width, chunk, Matrix(weight).Transposed, buffers.Logits, vocabulary, add: false, packs ? _headForward : null);
            _pool.For(count, body);
            if (dx is not null)
            {
                bool inPlace = together && dx.Type == DType.F32;
                float* destination = inPlace ? dx.FloatPointer + (long)indices[0] * width : buffers.Gradients;
                _gemm.Multiply(count, width, vocabulary, dz, Matrix(weight), destination, width, add: false, packs ? _headBackward : null);
                for (int i = 0; i < count && !inPlace; i++) CopyRow(buffers.Gradients + (long)i * width, dx, indices[i]);
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

    /// <summary>Memory for one chunk of rows.</summary>
    private readonly struct HeadBuffers(int chunkRows, float* logits, float* rows, float* gradients, int* indices)
    {
        public readonly int ChunkRows = chunkRows;

        /// <summary>[ChunkRows, V].</summary>
        public readonly float* Logits = logits;

        /// <summary>[ChunkRows, D]: gathered rows of x.</summary>
        public readonly float* Rows = rows;

        /// <summary>[ChunkRows, D].</summary>
        public readonly float* Gradients = gradients;

        /// <summary>[ChunkRows]: which row of x each is.</summary>
        public readonly int* Indices = indices;
    }

    /// <summary>What becomes of the logits of a chunk: runs for each of its rows.</summary>
    private interface IHeadRows : IParallelBody
    {
        /// <summary>Whether a row of x has a loss.</summary>
        bool Wants(int row);
    }

    /// <summary>The loss of one row of logits, which its gradient replaces where there are token weights.</summary>
    private readonly struct CrossEntropyRows(
        HeadBuffers buffers, int vocabulary, int* targets, float* tokenWeights, float* losses, float* logSumExp,
        CrossEntropyOptions options) : IHeadRows
    {
        public bool Wants(int row) => targets[row] >= 0;

        public void Run(int task, int worker)
        {
            float* row = buffers.Logits + (long)task * vocabulary;
            int index = buffers.Indices[task], target = targets[index];
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

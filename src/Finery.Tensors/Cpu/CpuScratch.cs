namespace Finery.Tensors;

public sealed partial class CpuKernels
{
    /// <inheritdoc/>
    public override long ScratchBytes =>
        _gemm.ScratchBytes + _squares.Bytes + _head.Bytes + _headForward.Bytes + _headBackward.Bytes + _normScratch.Bytes + _attentionScratch.Bytes
        + _divergence.Bytes + _muon.Bytes;

    /// <summary>Bytes of scratch memory that the ops of a decoder will have grown to, known before anything runs.</summary>
    /// <param name="tokens">N: tokens of a pass.</param>
    /// <param name="longest">Tokens of the longest document.</param>
    /// <param name="attention">Heads.</param>
    /// <param name="weights">Shapes [out, in] of all linear layers, the head included.</param>
    /// <param name="vocabulary">V.</param>
    /// <param name="width">D.</param>
    /// <param name="threads">Of the kernels.</param>
    /// <param name="gradients">Whether there is a backward pass.</param>
    public static long EstimateScratch(
        int tokens, int longest, AttentionShape attention, IEnumerable<(int Out, int In)> weights, int vocabulary, int width, int threads,
        bool gradients)
    {
        const int Float = sizeof(float);
        long chunk = HeadChunk(tokens, vocabulary);
        long head = chunk * vocabulary + 2 * chunk * width + chunk, table = (long)vocabulary * width;
        if (tokens > chunk && table <= PackedHead) head += (gradients ? 2 : 1) * table;
        long queries = (tokens + AttentionQueries - 1) / AttentionQueries;
        long scores = threads * AttentionForwardBody<FloatElement>.ScratchSize(attention) + queries * attention.HeadCount;
        long norm = 0, gemm = 0;
        foreach (var (rows, columns) in weights)
        {
            gemm = Math.Max(gemm, Gemm.MostScratchBytes(columns, rows, threads));
            if (!gradients) continue;
            gemm = Math.Max(gemm, Gemm.MostScratchBytes(rows, columns, threads));
            gemm = Math.Max(gemm, Gemm.MostScratchBytes(tokens, columns, threads));
        }
        if (gradients)
        {
            scores = Math.Max(scores, threads * AttentionBackwardBody<FloatElement>.ScratchSize(attention, Math.Min(longest, tokens)));
            norm = (tokens + NormBlock - 1L) / NormBlock * width;
        }
        return gemm + Float * (head + scores + norm);
    }
}

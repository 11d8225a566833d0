namespace Finery.Data.Tokenizers;

/// <summary>Any pre-tokenizer and model: splits step by step, each chunk passed on as soon as it is cut.</summary>
internal sealed class GeneralEncoder : TextEncoder
{
    private readonly ChunkSink _first;
    private byte[] _buffer = [];
    private List<int> _destination = [];

    /// <param name="steps">Pre-tokenizers, in order.</param>
    /// <param name="encodeChunk">One chunk to ids.</param>
    public GeneralEncoder(Splitter[] steps, ChunkEncoder encodeChunk)
    {
        ChunkSink sink = (chunk, _) => encodeChunk(chunk.Span, _destination);
        foreach (Splitter step in steps.Reverse())
        {
            ChunkSink next = sink;
            sink = (chunk, beginsInput) => step.Split(chunk, beginsInput, next);
        }
        _first = sink;
    }

    /// <inheritdoc/>
    public override void Encode(ReadOnlySpan<byte> utf8, List<int> destination) => Encode(utf8, beginsInput: true, destination);

    /// <summary>The same for a piece which may have other text before it.</summary>
    public void Encode(ReadOnlySpan<byte> utf8, bool beginsInput, List<int> destination)
    {
        if (utf8.IsEmpty) return;
        if (_buffer.Length < utf8.Length) _buffer = new byte[Math.Max(utf8.Length, 256)];
        utf8.CopyTo(_buffer);
        _destination = destination;
        _first(_buffer.AsMemory(0, utf8.Length), beginsInput);
        _destination = [];
        if (_buffer.Length > 1 << 24) _buffer = []; // one huge document must not pin its size for ever
    }
}

/// <summary>Appends the ids of one chunk.</summary>
internal delegate void ChunkEncoder(ReadOnlySpan<byte> chunk, List<int> destination);

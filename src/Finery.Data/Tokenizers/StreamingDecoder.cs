using System.Text;

namespace Finery.Data.Tokenizers;

/// <summary>Decodes ids one at a time, as they are generated, and never emits part of a character: bytes of an unfinished
/// one wait for the rest. All outputs joined equal <see cref="Tokenizer.Decode"/> of all ids. Not thread-safe.</summary>
public sealed class StreamingDecoder(Tokenizer tokenizer, bool skipSpecial = true)
{
    private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();
    private char[] _buffer = new char[64];

    /// <summary>Text completed by <paramref name="id"/>; often empty.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such id.</exception>
    public string Push(int id) => Convert(tokenizer.DecodedBytes(id, skipSpecial), flush: false);

    /// <summary>What is left at the end: U+FFFD if a character was never finished, else nothing. Starts afresh.</summary>
    public string Flush() => Convert([], flush: true);

    private string Convert(ReadOnlySpan<byte> bytes, bool flush)
    {
        int size = Encoding.UTF8.GetMaxCharCount(bytes.Length + 4);
        if (size > _buffer.Length) _buffer = new char[size];
        return new string(_buffer, 0, _decoder.GetChars(bytes, _buffer, flush));
    }
}

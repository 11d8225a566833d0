using System.Text;

namespace Finery.Data.Tokenizers;

/// <summary>Decodes ids one at a time, as they are generated, and never emits part of a character: bytes of an unfinished
/// one wait for the rest. All outputs joined equal <see cref="Tokenizer.Decode"/> of all ids. Not thread-safe.</summary>
public sealed class StreamingDecoder(Tokenizer tokenizer, bool skipSpecial = true)
{
    private readonly StringBuilder _settled = new();
    private readonly Utf8Joiner _joiner = new();
    private DecodingStep? _decoding;

    /// <summary>Text completed by <paramref name="id"/>; often empty.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such id.</exception>
    public string Push(int id)
    {
        if (tokenizer.DecodesByteLevel) return _joiner.Push(tokenizer.DecodedBytes(id, skipSpecial));
        _decoding ??= tokenizer.StartDecoding(_settled);
        if (!(skipSpecial && tokenizer.IsSpecial(id))) _decoding.Push(tokenizer.TokenText(id));
        return Taken();
    }

    /// <summary>What is left at the end: U+FFFD if a character was never finished, else mostly nothing. Starts afresh.</summary>
    public string Flush()
    {
        if (tokenizer.DecodesByteLevel) return _joiner.Flush();
        _decoding?.Finish();
        _decoding = null;
        return Taken();
    }

    private string Taken()
    {
        string text = _settled.ToString();
        _settled.Clear();
        return text;
    }
}

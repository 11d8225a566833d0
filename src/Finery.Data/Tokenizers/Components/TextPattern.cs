using System.Text;
using System.Text.Json;

namespace Finery.Data.Tokenizers;

/// <summary>What a Split or a Replace looks for. Immutable and thread-safe.</summary>
internal abstract record TextPattern
{
    /// <summary>Ranges of bytes that match, leftmost first, without overlap.</summary>
    /// <param name="text">Valid UTF-8.</param>
    public abstract List<(int Start, int End)> Matches(ReadOnlySpan<byte> text);

    /// <summary>Reads <c>{"String": ..}</c> or <c>{"Regex": ..}</c>.</summary>
    public static TextPattern Read(JsonElement pattern)
    {
        if (pattern.ValueKind == JsonValueKind.Object && pattern.Text("Regex") is { } regex) return new RegexPattern(regex);
        if (pattern.ValueKind != JsonValueKind.Object || pattern.Text("String") is not { } text)
            throw JsonFields.Unsupported("pattern", pattern);
        return text.Length > 0 ? new LiteralPattern(text) : throw new NotSupportedException("an empty String pattern is not supported");
    }
}

/// <summary>Literal text.</summary>
internal sealed record LiteralPattern(string Text) : TextPattern
{
    private readonly byte[] _text = Encoding.UTF8.GetBytes(Text);

    public override List<(int Start, int End)> Matches(ReadOnlySpan<byte> text)
    {
        var matches = new List<(int, int)>();
        for (int at = 0; text[at..].IndexOf(_text) is >= 0 and int offset; at += offset + _text.Length)
            matches.Add((at + offset, at + offset + _text.Length));
        return matches;
    }
}

/// <summary>A regular expression over code points.</summary>
internal sealed record RegexPattern(string Regex) : TextPattern
{
    private readonly CodePointRegex _regex = CodePointRegex.Parse(Regex);

    public override List<(int Start, int End)> Matches(ReadOnlySpan<byte> text) => _regex.Matches(text);
}

/// <summary>Each character of a kind, on its own.</summary>
internal sealed record CharacterPattern(Func<Rune, bool> Contains) : TextPattern
{
    public override List<(int Start, int End)> Matches(ReadOnlySpan<byte> text)
    {
        var matches = new List<(int, int)>();
        for (int at = 0, length; at < text.Length; at += length)
        {
            Rune.DecodeFromUtf8(text[at..], out Rune rune, out length);
            if (Contains(rune)) matches.Add((at, at + length));
        }
        return matches;
    }
}

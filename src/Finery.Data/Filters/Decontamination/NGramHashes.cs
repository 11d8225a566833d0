using System.Text;
using Finery.Data.Deduplication;

namespace Finery.Data.Filters.Decontamination;

/// <summary>The words of a simplified text as UTF-8, joined by single spaces: a run of words is a slice, and its hash that of
/// datatrove's index (xxHash64 of the words joined by spaces).</summary>
internal sealed class NGramHashes
{
    private readonly byte[] _bytes;
    private readonly List<int> _starts = [];

    public NGramHashes(string text)
    {
        var simple = SimplifiedText.Of(text);
        var bytes = new byte[Encoding.UTF8.GetMaxByteCount(simple.Length) + 1];
        var length = 0;
        // Words.Split may part what simplification left together, so words are joined again here.
        var ranges = Words.Split(simple);
        if (bytes.Length < simple.Length * 3 + ranges.Count)
            bytes = new byte[simple.Length * 3 + ranges.Count];
        foreach (var range in ranges)
        {
            _starts.Add(length);
            length += Encoding.UTF8.GetBytes(simple.AsSpan(range), bytes.AsSpan(length));
            bytes[length++] = (byte)' ';
        }
        _starts.Add(length);
        _bytes = bytes;
    }

    /// <summary>Number of words.</summary>
    public int Count => _starts.Count - 1;

    /// <summary>Hash of <paramref name="count"/> words from <paramref name="start"/>.</summary>
    public ulong Hash(int start, int count) => XxHash64.Hash(Slice(start, count));

    /// <summary>Those words joined by spaces.</summary>
    public string Text(int start, int count) => Encoding.UTF8.GetString(Slice(start, count));

    /// <summary>Whether those words are not only numbers, which simplification made <c>0</c>.</summary>
    public bool HasLetter(int start, int count) => Slice(start, count).IndexOfAnyExcept((byte)'0', (byte)' ') >= 0;

    /// <summary>Hash of the last words of one text and the first of another.</summary>
    public static ulong HashAcross(NGramHashes tail, int tailCount, NGramHashes head, int headCount) =>
        XxHash64.Hash([.. tail.Slice(tail.Count - tailCount, tailCount), (byte)' ', .. head.Slice(0, headCount)]);

    private ReadOnlySpan<byte> Slice(int start, int count) => _bytes.AsSpan(_starts[start].._starts[start + count])[..^1];
}

using System.Buffers;
using System.Collections.Concurrent;
using System.Text;
using Finery.Data.Filters.Segmentation;

namespace Finery.Data.Filters;

/// <summary>Words and phrases, found in lower-cased text. Lists are read once and shared.</summary>
internal sealed class BadWordList
{
    private static readonly ConcurrentDictionary<(string?, string), Lazy<BadWordList>> s_lists = new();

    private readonly string[] _words;
    private readonly SearchValues<string> _search;
    private readonly bool _bounded;

    private BadWordList(IEnumerable<string> words, bool bounded)
    {
        // A blank line would be found in every text.
        _words = [.. words.Select(word => word.Trim().ToLowerInvariant()).Where(word => word.Length > 0).Distinct()];
        _search = SearchValues.Create(_words, StringComparison.Ordinal);
        _bounded = bounded;
    }

    /// <summary>The list of a file, or the bundled one.</summary>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="ArgumentException">There is no bundled list for the language.</exception>
    public static BadWordList Of(string? file, string language) => s_lists.GetOrAdd((file, language), key => new(() =>
    {
        if (key.Item1 is null && language != "en")
            throw new ArgumentException(
                $"There is no list of bad words for the language '{language}'; name a file.", nameof(language));
        return new(
            key.Item1 is null ? ResourceLines.Of("BadWords.txt") : File.ReadLines(key.Item1),
            bounded: language is not ("ja" or "th" or "zh"));
    })).Value;

    /// <summary>Whether any of them is in a text.</summary>
    public bool IsIn(string text)
    {
        var buffer = ArrayPool<char>.Shared.Rent(text.Length);
        try
        {
            var lowered = buffer.AsSpan(0, text.AsSpan().ToLowerInvariant(buffer));
            for (var from = 0; ;)
            {
                var found = lowered[from..].IndexOfAny(_search);
                if (found < 0)
                    return false;
                if (!_bounded || IsBoundedAt(lowered, from + found))
                    return true;
                from += found + 1;
            }
        }
        finally
        {
            ArrayPool<char>.Shared.Return(buffer);
        }
    }

    private bool IsBoundedAt(ReadOnlySpan<char> text, int start)
    {
        if (start > 0)
        {
            Rune.DecodeLastFromUtf16(text[..start], out var before, out _);
            if (IsPartOfWord(before))
                return false;
        }
        foreach (var word in _words)
        {
            var rest = text[start..];
            if (!rest.StartsWith(word, StringComparison.Ordinal))
                continue;
            rest = rest[word.Length..];
            if (rest.IsEmpty)
                return true;
            Rune.DecodeFromUtf16(rest, out var after, out _);
            if (!IsPartOfWord(after))
                return true;
        }
        return false;
    }

    /// <summary>Python's <c>\w</c>: letters, numbers of every kind and the underscore.</summary>
    private static bool IsPartOfWord(Rune rune) => rune.Value == '_' || Rune.IsLetter(rune) || Rune.IsNumber(rune);
}

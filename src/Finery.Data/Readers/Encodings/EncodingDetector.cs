using System.Collections.Frozen;

namespace Finery.Data.Readers.Encodings;

/// <summary>
/// Tells legacy encodings apart by what each makes of the bytes: how much cannot be decoded, and whether the rest reads as
/// letters of one language in words. A small table of letters by frequency stands in for a language model.
/// </summary>
internal static class EncodingDetector
{
    // A sample of what lies around bytes beyond ASCII is as telling as the whole.
    private const int SampleBytes = 1 << 13;
    private const double DeclaredBonus = 0.15;
    private const double Convincing = 0.8;
    private static readonly System.Buffers.SearchValues<char> s_typographic =
        System.Buffers.SearchValues.Create("\u00A0‘“”–—…«»•©®™°€·№„‚£§½²");

    private static readonly Language[] s_languages = [.. EncodingResources.Lines("DetectorLetters.txt").Select(Language.Parse)];
    private static readonly string[] s_names = [.. s_languages.SelectMany(l => l.Charsets).Distinct()];

    /// <summary>The likeliest encoding of bytes that are not UTF-8.</summary>
    /// <param name="bytes">The text.</param>
    /// <param name="declared">Encodings it is said to have, by standard name: a point in favour of each, no more.</param>
    public static string Choose(ReadOnlySpan<byte> bytes, IReadOnlyList<string> declared)
    {
        var sample = Sample(bytes);
        foreach (var name in declared)
            if (name != "utf-8" && Score(sample, name) >= Convincing)
                return name;
        var (best, bestScore) = ("windows-1252", double.NegativeInfinity);
        foreach (var name in s_names.Concat(declared))
        {
            var score = Score(sample, name) + Prior(name) + (declared.Contains(name) ? DeclaredBonus : 0);
            if (score > bestScore)
                (best, bestScore) = (name, score);
        }
        // What reads as nothing is damaged ASCII rather than any of them.
        return bestScore < 0 && declared.Count == 0 ? "utf-8" : best;
    }

    /// <summary>How well bytes read when decoded as <paramref name="name"/>: about 1 for text of a language written in it,
    /// negative for what cannot be.</summary>
    internal static double Score(ReadOnlySpan<byte> sample, string name)
    {
        var text = EncodingLabels.Get(name).GetString(sample);
        var best = double.NegativeInfinity;
        var isKnown = false;
        foreach (var language in s_languages)
        {
            if (!language.Charsets.Contains(name))
                continue;
            isKnown = true;
            best = Math.Max(best, language.Score(text));
        }
        return isKnown ? best : s_languages.Max(l => l.Score(text)) - 0.1;
    }

    /// <summary>How common an encoding is on the web, which decides where a text has few letters beyond ASCII.</summary>
    private static double Prior(string name) => name switch
    {
        "windows-1252" => 0.08,
        "windows-1251" or "windows-1250" or "shift_jis" or "gb18030" or "euc-kr" => 0.02,
        "windows-1258" or "iso-8859-3" or "iso-8859-13" or "macintosh" or "x-mac-cyrillic" or "ibm866" => -0.1,
        _ => 0,
    };

    /// <summary>Bytes beyond ASCII with their neighbours, from the start of the text, up to a bound.</summary>
    private static byte[] Sample(ReadOnlySpan<byte> bytes)
    {
        var sample = new List<byte>(SampleBytes);
        while (sample.Count < SampleBytes)
        {
            var at = bytes.IndexOfAnyExceptInRange((byte)0, (byte)0x7F);
            if (at < 0)
                break;
            sample.AddRange(bytes[Math.Max(0, at - 8)..at]);
            bytes = bytes[at..];
            // A run lasts to the second ASCII byte in a row: double-byte characters may end in one.
            var end = 1;
            while (end < bytes.Length && end < SampleBytes && (bytes[end] >= 0x80 || bytes[end - 1] >= 0x80))
                end++;
            sample.AddRange(bytes[..end]);
            bytes = bytes[end..];
        }
        return [.. sample];
    }

    private sealed record Language(string[] Charsets, FrozenDictionary<char, double> Letters, bool IsLatin, bool IsWide)
    {
        public static Language Parse(string[] fields)
        {
            var alphabet = fields[^1];
            var letters = new Dictionary<char, double>();
            var isWide = fields[1..^1].Any(f => f is "shift_jis" or "gb18030" or "big5" or "euc-kr");
            // Wide scripts have a long tail of characters, which is no sign against them.
            for (var i = 0; i < alphabet.Length; i++)
                letters.TryAdd(alphabet[i], isWide ? 1 - 0.5 * i / alphabet.Length : Math.Max(0.4, 1 - 0.02 * i));
            return new(fields[1..^1], letters.ToFrozenDictionary(), alphabet[0] < 0x250, isWide);
        }

        public double Score(string text)
        {
            double score = 0;
            var count = 0;
            for (var i = 0; i < text.Length; i++)
            {
                var c = text[i];
                if (c < 0x80)
                    continue;
                count++;
                var before = i > 0 ? text[i - 1] : ' ';
                var after = i + 1 < text.Length ? text[i + 1] : ' ';
                score += Letters.TryGetValue(c, out var weight) ? weight + Context(c, before, after) : Other(c, before, after);
            }
            return count == 0 ? 0 : score / count;
        }

        /// <summary>Capitals come at the start of words, or among capitals; letters of other alphabets have no Latin
        /// neighbours.</summary>
        private double Context(char c, char before, char after)
        {
            if (IsWide)
                return 0;
            if (char.IsUpper(c) && char.IsLower(before))
                return -1.5;
            return !IsLatin && (char.IsAsciiLetter(before) || char.IsAsciiLetter(after)) ? -1 : 0;
        }

        private double Other(char c, char before, char after)
        {
            if (c is '\uFFFD' or < '\u00A0' or (>= '\uE000' and <= '\uF8FF'))
                return -6;
            var isInside = char.IsLetter(before) && char.IsLetter(after);
            if (c == '’')
                return isInside ? 0.9 : 0.35;
            if (s_typographic.Contains(c))
                return isInside && c is not ('\u00A0' or '–' or '—' or '…') ? -1 : 0.35;
            if (IsWide)
                return c is (>= '\u3000' and <= '\u303F') or (>= '\uFF00' and <= '\uFF60') ? 0.5 : IsOfScript(c) ? 0.3 : -1;
            return char.IsLetter(c) ? (IsLatin && c < 0x250 ? -0.5 : -0.8) : -1;
        }

        /// <summary>Wide scripts have more characters than a table of frequent ones holds.</summary>
        private bool IsOfScript(char c) => Letters.ContainsKey('の')
            ? c is (>= '\u3040' and <= '\u30FF') or (>= '\u4E00' and <= '\u9FFF')
            : Letters.ContainsKey('이') ? c is >= '\uAC00' and <= '\uD7A3' : c is >= '\u4E00' and <= '\u9FFF';
    }
}

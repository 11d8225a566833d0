using System.Globalization;
using System.Text;
using Finery.Data.Readers;

namespace Finery.Tests.Data.Tokenizers;

/// <summary>Ten megabytes of real text of every kind: technical prose, 39 languages, documentation, code, and random Unicode.
/// Valid Unicode without control tokens.</summary>
internal static class MixedText
{
    private static readonly Lazy<string[]> Ten = new(() =>
    [
        .. Some(4_000_000, Shared("text/peps.jsonl.gz")), .. Some(2_000_000, Shared("languages/tldr.jsonl.gz")),
        .. Some(2_500_000, new DotNetDocumentationReader().Read(new()).Select(document => document.Text)),
        .. Some(2_000_000, Code()), .. RandomUnicode(500_000), .. Edges(),
    ]);

    public static string[] Documents => Ten.Value;

    /// <summary>Bytes of UTF-8.</summary>
    public static long Size => Documents.Sum(text => (long)Encoding.UTF8.GetByteCount(text));

    /// <summary>Every <paramref name="stride"/>th document: for vocabularies of which a sample is enough.</summary>
    public static string[] Sample(int stride) => [.. Documents.Where((_, i) => i % stride == 0), .. Edges()];

    private static IEnumerable<string> Shared(string name)
    {
        string path = Path.Combine(Repository.Data, name);
        return File.Exists(path) ? new JsonLinesReader { Paths = [path] }.Read(new()).Select(document => document.Text) : [];
    }

    private static IEnumerable<string> Code() => Directory
        .EnumerateFiles(Path.Combine(Repository.Root, "src"), "*.cs", SearchOption.AllDirectories)
        .Where(file => !file.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal))
        .Order(StringComparer.Ordinal).Select(File.ReadAllText);

    private static IEnumerable<string> Some(int characters, IEnumerable<string> texts)
    {
        foreach (string text in texts)
        {
            if ((characters -= text.Length) < 0) yield break;
            yield return text;
        }
    }

    // Marks and decomposing characters since Unicode 10, some with their neighbours: HF's normalizers keep Unicode 9's tables and leave
    // them alone.
    private static readonly (int First, int Last)[] SinceUnicode10 =
    [
        (0x7FD, 0x7FD), (0x897, 0x89F), (0x8CA, 0x8D3), (0x9FE, 0x9FE), (0xAFA, 0xAFF), (0xB55, 0xB55), (0xC04, 0xC04), (0xC3C, 0xC3C),
        (0xCF3, 0xCF3), (0xD00, 0xD00), (0xD3B, 0xD3C), (0xD81, 0xD81), (0xEBA, 0xEBA), (0xECE, 0xECE), (0x1715, 0x1715),
        (0x180F, 0x180F), (0x1ABF, 0x1AEB), (0x1CF7, 0x1CF7), (0x1DF6, 0x1DFA), (0x32FF, 0x32FF), (0xA7F1, 0xA7F4), (0xA82C, 0xA82C),
        (0xA8FF, 0xA8FF), (0xAB69, 0xAB69), (0x105C9, 0x105E4), (0x10781, 0x107BA), (0x10D24, 0x11F5A), (0x13440, 0x13455),
        (0x1611E, 0x16FF1), (0x1CCD6, 0x1CF46), (0x1E030, 0x1E6F5), (0x1F16C, 0x1F16C), (0x1FBF0, 0x1FBF9),
    ];

    /// <summary>Pieces with a meaning to tokenizers, and code points of every plane.</summary>
    private static IEnumerable<string> RandomUnicode(int characters)
    {
        var random = new Random(11);
        while (characters > 0)
        {
            var text = new StringBuilder();
            int pieces = random.Next(1, 60);
            for (int i = 0; i < pieces; i++)
            {
                if (random.Next(3) > 0) text.Append(RandomText.Next(random, 1));
                else if (Rune.TryCreate(random.Next(4) > 0 ? random.Next(0x3000) : random.Next(0x110000), out Rune rune)
                    && !IsNew(rune)) text.Append(rune);
            }
            string valid = Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text.ToString()));
            characters -= valid.Length;
            yield return valid;
        }
    }

    private static bool IsNew(Rune rune) => SinceUnicode10.Any(range => rune.Value >= range.First && rune.Value <= range.Last)
        || (!rune.IsBmp && Rune.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark);

    private static IEnumerable<string> Edges() =>
    [
        "", " ", "\n", "a", "\uFFFD", new string('a', 3000), new string(' ', 1000) + "x", new string('\n', 500), new string('0', 999),
        string.Concat(Enumerable.Repeat("ab", 2000)), string.Concat(Enumerable.Repeat("日本", 700)), "e\u0301 \u1100\u1161\u11A8 \uFB01 \u212B",
    ];
}

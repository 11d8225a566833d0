using System.Text;
using Finery.Data.Readers;
using Finery.Tests.Data.Readers;

namespace Finery.Tests.Data.Filters;

/// <summary>Texts to try filters on.</summary>
internal static class FilterInputs
{
    /// <summary>UTF-16 units of every kind, lone surrogates among them.</summary>
    public static string RandomUnicode(Random random, int length)
    {
        const string Rare = "你好。ไทย၊မြန်한 😀'é İΣ\u2028\x85\r\n", Common = "aaabbcDE  .,:;-'\"()!?\n\n\t 12 …";
        var text = new StringBuilder();
        while (text.Length < length)
        {
            switch (random.Next(6))
            {
                case 0:
                    text.Append((char)random.Next(0x10000));
                    break;
                case 1 when random.Next(3) == 0:
                    text.Append(char.ConvertFromUtf32(random.Next(0x10000, 0x110000)));
                    break;
                case 2 when random.Next(2) == 0:
                    text.Append(Rare[random.Next(Rare.Length)]);
                    break;
                default:
                    text.Append(Common[random.Next(Common.Length)]);
                    break;
            }
        }
        return text.ToString();
    }

    /// <summary>Lines of few words, so that lines, paragraphs and runs of words repeat.</summary>
    public static string RandomProse(Random random, int lines)
    {
        string[] words =
        [
            "the", "of", "to", "river", "runs", "sea", "I", "don't", "a", "ab", "b", "😀", "😀😀", "It's", "(see", "below)",
            "e.g.", "10km", "x.", "end.", "What?", "- item", "• point", "wait...", "more…", "#", "javascript", "JavaScript", "use cookies",
            "lorem", "[1]", "[edit]", "cats,",
        ];
        int variety = random.Next(2, words.Length + 1);
        var text = new StringBuilder();
        for (int i = 0; i < lines; i++)
        {
            for (int n = random.Next(12); n > 0; n--) text.Append(words[random.Next(variety)]).Append(' ');
            text.Append(random.Next(3) == 0 ? "The end." : "").Append('\n', random.Next(1, 4));
        }
        return text.ToString();
    }

    /// <summary>Every so manieth of the technical documents among the shared data; skips the test where they are absent.</summary>
    public static IEnumerable<string> RealTexts(int stride)
    {
        string path = SharedData.Path("text", "peps.jsonl.gz");
        return new JsonLinesReader { Paths = [path] }.Read(new())
            .Where((_, i) => i % stride == 0).Select(document => document.Text);
    }
}

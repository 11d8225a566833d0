using System.Text;
using Finery.Data.Tokenizers;
using Xunit;

namespace Finery.Tests.Data.Tokenizers.Models;

public class UnigramTests
{
    private static readonly (string, double)[] Published =
    [
        ("<unk>", 0), ("ab", 0), ("cd", -0.1), ("abc", -0.2), ("a", -0.3), ("b", -0.4), ("c", -0.5), ("ABC", -0.5),
        ("abcdabcd", 20), ("q", 20.5), ("r", 20.5), ("qr", -0.5),
    ];

    [Theory]
    [InlineData("", "")]
    [InlineData("abc", "3")]
    [InlineData("AB", "0")]
    [InlineData("abcd", "1 2")]
    [InlineData("abcc", "3 6")]
    [InlineData("xabcabaabcdd", "0 3 1 4 1 2 0")]
    [InlineData("xyz東京", "0")]
    [InlineData("ABC", "7")]
    [InlineData("abABCcd", "1 7 2")]
    [InlineData("ababcdabcdcd", "1 8 2")]
    [InlineData("abqrcd", "1 9 10 2")]
    public void Cuts_as_the_published_cases(string text, string ids) =>
        Assert.Equal(ids, Encode(new Unigram(Published, 0, byteFallback: false), text));

    [Fact]
    public void Falls_back_to_bytes_where_all_are_there_and_to_one_unknown_where_not()
    {
        (string, double)[] pieces =
        [
            ("<unk>", 0), ("<0xE2>", -0.01), ("<0x85>", -0.02), ("<0xE2>", -0.03), ("<0x90>", -0.04), ("<0x91>", -0.05),
            ("<0x9B>", -0.06), ("Hello", -0.1), ("how", -0.2), ("are", -0.3), (" ", -0.4),
        ];
        var model = new Unigram(pieces, 0, byteFallback: true);
        Assert.Equal("7 3 2 4 8 10 9 3 2 5 3 2 5", Encode(model, "Hello⅐how are⅑⅑"));
        Assert.Equal("10 0", Encode(model, " unknown‰"));
        Assert.Equal("7 0 8", Encode(new Unigram(pieces, 0, byteFallback: false), "Hello⅐how"));
    }

    [Fact]
    public void An_unknown_run_that_is_a_piece_after_all_has_the_id_of_the_piece() =>
        // two unknowns score 2 * (30 - 10), more than the piece that they are
        Assert.Equal("1", Encode(new Unigram([("<unk>", 30), ("xy", 30)], 0, byteFallback: false), "xy"));

    [Fact]
    public void Agrees_with_trying_every_way_to_cut()
    {
        var random = new Random(3);
        string[] letters = ["a", "b", "é", "日", "😉"];
        for (int round = 0; round < 2000; round++)
        {
            var pieces = new List<(string Piece, double Score)> { ("<unk>", random.Next(-9, 2)) };
            for (int i = random.Next(1, 12); i > 0; i--) pieces.Add((Text(random.Next(1, 4)), random.Next(-9, 2)));
            string text = Text(random.Next(0, 9));
            Assert.Equal(BestCut(pieces, text), Encode(new Unigram(pieces, 0, byteFallback: false), text));
        }

        string Text(int length) => string.Concat(Enumerable.Range(0, length).Select(_ => letters[random.Next(letters.Length)]));
    }

    [Fact]
    public void Takes_a_megabyte_of_one_letter()
    {
        var pieces = Enumerable.Range(1, 32).Select(i => (new string('a', i), -(double)i)).Prepend(("<unk>", 0)).ToList();
        var model = new Unigram(pieces, 0, byteFallback: false);
        Assert.Equal(1_000_000 / 32, Ids(model, new string('a', 1_000_000)).Count);
        Assert.Single(Ids(model, new string('b', 1_000_000)));
    }

    [Fact]
    public void Bad_vocabularies_and_text_without_an_unknown_token_are_errors()
    {
        Assert.Throws<InvalidDataException>(() => new Unigram([("a", 0)], 1, byteFallback: false));
        Assert.Throws<InvalidDataException>(() => new Unigram([], 0, byteFallback: false));
        Assert.Throws<InvalidDataException>(() => new Unigram([("a", double.NaN)], 0, byteFallback: false));
        Assert.Throws<NotSupportedException>(() => new Unigram([(new string('a', 1025), 0)], 0, byteFallback: false));
        var model = new Unigram([("a", 0)], null, byteFallback: false);
        Assert.Equal("0 0", Encode(model, "aa"));
        Assert.Contains("U+0062", Assert.Throws<InvalidDataException>(() => Encode(model, "ab")).Message, StringComparison.Ordinal);
    }

    /// <summary>The ids of the best of all cuts; of equal ones that whose last piece begins first, then the one before it.</summary>
    private static string BestCut(List<(string Piece, double Score)> pieces, string text)
    {
        Rune[] runes = [.. text.EnumerateRunes()];
        double unknown = pieces.Min(piece => piece.Score) - 10;
        var cuts = new List<(double Score, List<(int Start, int Id, string Text)> Steps)>();
        Extend(0, 0, []);
        var startsFromTheEnd = Comparer<IEnumerable<int>>.Create(
            (a, b) => a.Reverse().Zip(b.Reverse(), (x, y) => x.CompareTo(y)).FirstOrDefault(sign => sign != 0));
        var best = cuts.OrderByDescending(cut => cut.Score)
            .ThenBy(cut => cut.Steps.Select(step => step.Start), startsFromTheEnd)
            .First();
        var ids = new List<int>();
        string run = "";
        foreach ((_, int id, string piece) in best.Steps.Append((0, -1, "")))
        {
            if (id == 0)
            {
                run += piece;
                continue;
            }
            if (run.Length > 0) ids.Add(Math.Max(0, pieces.FindLastIndex(known => known.Piece == run)));
            run = "";
            if (id > 0) ids.Add(id);
        }
        return string.Join(' ', ids);

        void Extend(int at, double score, List<(int, int, string)> steps)
        {
            if (at == runes.Length) cuts.Add((score, steps));
            for (int length = 1; at + length <= runes.Length; length++)
            {
                string piece = string.Concat(runes[at..(at + length)]);
                int id = pieces.FindLastIndex(known => known.Piece == piece);
                if (id >= 0) Extend(at + length, score + pieces[id].Score, [.. steps, (at, id, piece)]);
                else if (length == 1) Extend(at + 1, score + unknown, [.. steps, (at, 0, piece)]);
            }
        }
    }

    private static List<int> Ids(ChunkModel model, string text)
    {
        List<int> ids = [];
        model.Encode(Encoding.UTF8.GetBytes(text), ids);
        return ids;
    }

    private static string Encode(ChunkModel model, string text) => string.Join(' ', Ids(model, text));
}

using System.Text;
using Finery.Data;
using Finery.Data.Filters;
using Xunit;

namespace Finery.Tests.Data.Filters;

public sealed class FilterEquivalenceTests
{
    private static readonly DocumentFilter[] s_filters =
    [
        new GopherRepetitionFilter(), new GopherQualityFilter(), new C4QualityFilter(), new C4ParagraphFilter(),
        new C4BadWordsFilter(), new FineWebQualityFilter(),
    ];

    private static List<string> Split(string text) => [.. Words.Split(text).Select(range => text[range])];

    private static List<(string Rule, double Value)> Measure(DocumentFilter filter, string text)
    {
        List<(string, double)> values = [];
        var work = new WorkingDocument(new("id", text)) { MeasureAll = true, Observer = m => values.Add((m.Rule, m.Value)) };
        filter.Apply(work);
        return values;
    }

    private static void AssertEqualToPlain(string text)
    {
        var words = Split(text);
        Assert.Equal(PlainFilters.GopherRepetition(text, words), Measure(new GopherRepetitionFilter(), text));
        Assert.Equal(PlainFilters.GopherQuality(text, words), Measure(new GopherQualityFilter(), text));
        Assert.Equal(PlainFilters.FineWebQuality(text, words), Measure(new FineWebQualityFilter(), text));
        foreach (bool punctuation in new[] { true, false })
        {
            var work = new WorkingDocument(new("id", text));
            new C4QualityFilter { RequireTerminalPunctuation = punctuation }.Apply(work);
            Assert.Equal(PlainFilters.C4(text, Split, punctuation), (work.Reason, work.Text));
        }
    }

    [Fact]
    public void Measured_values_of_random_prose_are_those_of_the_plain_rules()
    {
        var random = new Random(3);
        for (int n = 0; n < 400; n++)
            AssertEqualToPlain(FilterInputs.RandomProse(random, random.Next(40)));
    }

    [Fact]
    public void Measured_values_of_random_unicode_are_those_of_the_plain_rules()
    {
        var random = new Random(4);
        for (int n = 0; n < 200; n++)
        {
            string text = FilterInputs.RandomUnicode(random, random.Next(300));
            AssertEqualToPlain(Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)));
        }
    }

    [Fact]
    public void Measured_values_of_real_text_are_those_of_the_plain_rules()
    {
        foreach (string text in FilterInputs.RealTexts(stride: 40))
            AssertEqualToPlain(text);
    }

    [Fact]
    public void Runs_of_words_that_differ_only_in_where_they_part_are_equal_when_joined_by_nothing()
    {
        // "ab c d e f" and "a bc d e f" are the same five words joined; joined by spaces they are not.
        const string text = "ab c d e f 1 2 3 4 5 a bc d e f";
        var values = Measure(new GopherRepetitionFilter(), text).ToDictionary(pair => pair.Rule, pair => pair.Value);
        Assert.Equal(6.0 / text.Length, values["duplicated_5_n_grams"]);
        Assert.Equal(2 * "e f".Length / (double)text.Length, values["top_2_gram"]);
    }

    [Fact]
    public void A_reused_working_document_judges_as_a_fresh_one()
    {
        var random = new Random(8);
        var reused = new WorkingDocument();
        for (int n = 0; n < 500; n++)
        {
            string text = n % 2 == 0
                ? FilterInputs.RandomProse(random, random.Next(30)) : FilterInputs.RandomUnicode(random, random.Next(400));
            var document = new Document($"{n}", text);
            var fresh = new WorkingDocument(document);
            reused.Start(document);
            foreach (var filter in s_filters)
            {
                filter.Apply(fresh);
                filter.Apply(reused);
                Assert.Equal((fresh.Reason, fresh.Text), (reused.Reason, reused.Text));
            }
        }
    }

    [Fact]
    public void Threads_share_filters()
    {
        var random = new Random(9);
        var documents = Enumerable.Range(0, 400)
            .Select(i => new Document($"{i}", FilterInputs.RandomProse(random, random.Next(60)))).ToList();
        var expected = documents.Select(document => (document.Id, Judge(document))).ToList();
        var found = documents.AsParallel().AsOrdered().WithDegreeOfParallelism(4)
            .Select(document => (document.Id, Judge(document)));
        Assert.Equal(expected, found);

        static string Judge(Document document) => string.Join('|', s_filters.Select(filter => filter.Reject(document)));
    }

    [Fact]
    public void Hostile_texts_are_judged()
    {
        string[] texts =
        [
            new string('\n', 1_000_000), new string('a', 2_000_000), new string('(', 300_000),
            string.Concat(Enumerable.Repeat(":)", 200_000)),
            string.Concat(Enumerable.Repeat("a@", 300_000)), string.Concat(Enumerable.Repeat("a ", 300_000)),
            string.Concat(Enumerable.Repeat(new string('x', 50_000) + " ", 20)),
            string.Concat(Enumerable.Repeat("[1[edit", 100_000)),
            string.Concat(Enumerable.Repeat("javascript ", 50_000)), new string('\uDC00', 100_000), "\uD83D", "\u0000",
        ];
        foreach (string text in texts)
        {
            var work = new WorkingDocument(new("id", text)) { MeasureAll = true };
            foreach (var filter in s_filters) filter.Apply(work);
            new C4QualityFilter { BySentence = true, RequireTerminalPunctuation = false, MinSentences = 0 }
                .Apply(new(new("id", text)));
        }
    }
}

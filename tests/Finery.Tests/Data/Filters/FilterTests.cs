using Finery.Data;
using Finery.Data.Filters;
using Xunit;

namespace Finery.Tests.Data.Filters;

public sealed class FilterTests
{
    private static string? Reject(DocumentFilter filter, string text) => filter.Reject(new("id", text));

    private static string Repeat(string text, int times) => string.Concat(Enumerable.Repeat(text, times));

    private const string Distinct =
        "The first paragraph speaks of rivers, which run to the sea.\n\nA second one is about mountains and their snow.\n\n"
        + "The third deals with forests where many animals live.\n\n";

    [Fact]
    public void Gopher_repetition_gives_the_reference_reasons()
    {
        var filter = new GopherRepetitionFilter();
        Assert.Equal("dup_line_frac", Reject(filter, Repeat("I am your father.\n", 4)));
        Assert.Equal("dup_para_frac", Reject(filter, Repeat("I am your father.\n\n", 4)));
        Assert.Equal("dup_para_char_frac", Reject(
            filter with { MaxDuplicateParagraphs = 0.5 }, Distinct + Repeat(new string('x', 60) + ".\n\n", 2)));
        Assert.Equal("dup_line_char_frac", Reject(
            filter with { MaxDuplicateLines = 0.5 }, Distinct.Replace("\n\n", "\n") + Repeat(new string('x', 80) + ".\n", 2)));
        Assert.Equal("top_2_gram", Reject(filter, "I am Frank, I am Frank, I am Frank"));
        Assert.Equal("top_3_gram", Reject(
            filter with { MaxTopNGram = [0.5, 0.18, 0.16] }, "I am Frank, you are Jhon. I am Frank. I am Frank you are Jhon"));
        Assert.Null(Reject(filter, "Each of these twenty words is quite different from every other one, so that no rule finds "
            + "anything which might repeat itself here."));
    }

    [Fact]
    public void Gopher_repeated_n_grams_are_found()
    {
        const string normal = "I am a normal paragraph that speaks about things like rivers and seas, which no traveller "
            + "has seen for quite some time, although several books describe how they once looked in spring.";
        Assert.Equal("duplicated_5_n_grams", Reject(
            new GopherRepetitionFilter { MaxTopNGram = [] }, Repeat("I am a solo traveller ", 4) + normal));
    }

    [Fact]
    public void Line_ratios_equal_the_reference_case()
    {
        // 5 lines with the empty one, duplicates 1/5 = .2; characters 23/71 = .3239.
        const string text = "Alpha beta gamma delta.\nShort\nAlpha beta gamma delta.\n\nLast line here.\n";
        var filter = new GopherRepetitionFilter { MaxDuplicateParagraphs = 0, MaxDuplicateParagraphCharacters = 0 };
        Assert.Equal("dup_line_char_frac", Reject(filter, text));
        Assert.Equal("dup_line_frac", Reject(filter with { MaxDuplicateLines = 0.1999 }, text));
        Assert.Equal("dup_line_char_frac", Reject(
            filter with { MaxDuplicateLines = 0.2, MaxDuplicateLineCharacters = 0.3239 }, text));
        Assert.NotEqual("dup_line_char_frac", Reject(filter with { MaxDuplicateLineCharacters = 0.32395 }, text));
        // FineWeb: 4 lines, 3 of them punctuated, all short, duplicate characters 23/66.
        var fineWeb = new FineWebQualityFilter { MaxShortLines = 1 };
        Assert.Equal("short_line_ratio", Reject(fineWeb with { MaxShortLines = 0.67 }, text));
        Assert.Equal("line_punct_ratio", Reject(fineWeb with { MinPunctuatedLines = 0.751 }, text));
        Assert.Equal("char_dup_ratio", Reject(fineWeb with { MaxDuplicateCharacters = 0.348 }, text));
        Assert.NotEqual("char_dup_ratio", Reject(
            fineWeb with { MaxDuplicateCharacters = 0.349, MinPunctuatedLines = 0.75 }, text));
    }

    [Fact]
    public void Three_repeats_in_ten_lines_are_kept_and_four_are_dropped()
    {
        static string Lines(int repeats) =>
            string.Join('\n', Enumerable.Range(0, 10).Select(i => i < 10 - repeats ? $"l{i}" : "l0"));
        var filter = new GopherRepetitionFilter
        {
            MaxDuplicateParagraphs = 0, MaxDuplicateParagraphCharacters = 0, MaxDuplicateLineCharacters = 0,
            MaxTopNGram = [], MaxDuplicateNGrams = [],
        };
        Assert.Null(Reject(filter, Lines(3)));
        Assert.Equal("dup_line_frac", Reject(filter, Lines(4)));
    }

    [Theory]
    [InlineData("I am too small...", 1, "gopher_short_doc")]
    [InlineData("I am ", 20, "gopher_below_avg_threshold")]
    [InlineData("interconnection ", 20, "gopher_above_avg_threshold")]
    [InlineData("# comment ", 20, "gopher_too_many_hashes")]
    [InlineData("... comment ", 20, "gopher_too_many_ellipsis")]
    [InlineData("the ./!*?<><> apple <?////> orange  ++ interconnection !<>??? have", 20, "gopher_below_alpha_threshold")]
    public void Gopher_quality_gives_the_reference_reasons(string text, int times, string reason) =>
        Assert.Equal(reason, Reject(new GopherQualityFilter { MinWords = 10, MaxWords = 1000 }, Repeat(text, times)));

    [Fact]
    public void Exactly_fifty_words_are_kept()
    {
        var words = string.Join(' ', Enumerable.Range(0, 48).Select(i => "word")) + " the of";
        Assert.Null(Reject(new GopherQualityFilter(), words));
        Assert.Equal("gopher_short_doc", Reject(new GopherQualityFilter(), words[5..]));
        Assert.Equal("gopher_long_doc", Reject(new GopherQualityFilter { MaxWords = 49 }, words));
    }

    [Fact]
    public void Bullets_ellipsis_lines_and_stop_words_count()
    {
        var filter = new GopherQualityFilter { MinWords = 1, MaxSymbolWordRatio = 0, MinAlphabeticWordRatio = 0 };
        Assert.Equal("gopher_too_many_bullets", Reject(filter, Repeat(" - the point of it\n", 5)));
        Assert.Equal("gopher_too_many_end_ellipsis", Reject(filter, "the start of…\nand then...  \nend"));
        Assert.Equal("gopher_enough_stop_words", Reject(filter, "The large cat of The town"));
        Assert.Null(Reject(filter, "cats of the world"));
    }

    [Fact]
    public void FineWeb_reasons_and_edges()
    {
        var filter = new FineWebQualityFilter();
        Assert.Equal("empty", Reject(filter, ""));
        Assert.Equal("empty", Reject(filter, " \n\t\n"));
        Assert.Equal("short_line_ratio", Reject(filter, Repeat("hi.\n", 5)));
        Assert.Equal("line_punct_ratio", Reject(filter, "A line that is long enough to count but does not end"));
        Assert.Null(Reject(filter with { ExemptUnpunctuated = true }, "A line that is long enough to count but does not end"));
        Assert.Equal("list_ratio", Reject(filter, "A line that is long enough to count.\n\n\n\n\n\n\n\n"));
        Assert.Null(Reject(filter, "A line that is long enough to be no list.\nAnother line that is long enough as well.\n"));
    }

    [Fact]
    public void Lengths_are_code_points()
    {
        var filter = new LengthFilter { MinCharacters = 3, MaxCharacters = 4 };
        Assert.Equal("too_short", Reject(filter, "😀😀"));
        Assert.Null(Reject(filter, "😀😀😀"));
        Assert.Equal("too_long", Reject(filter, "abcde"));
        Assert.Equal("too_few_words", Reject(new LengthFilter { MinWords = 3 }, " two   words "));
        Assert.Null(Reject(new LengthFilter(), ""));
    }

    [Fact]
    public void Emoji_text_gives_the_ratios_of_its_code_points()
    {
        // The repeated line has 12 of 40 code points however wide they are in UTF-16.
        static string Text(string c) => $"{Repeat(c, 12)}\n{Repeat("b", 13)}\n{Repeat(c, 12)}\n";
        var filter = new GopherRepetitionFilter { MaxDuplicateLines = 0, MaxTopNGram = [], MaxDuplicateNGrams = [] };
        foreach (var c in new[] { "a", "😀" })
        {
            Assert.Equal("dup_line_char_frac", Reject(filter with { MaxDuplicateLineCharacters = 0.299 }, Text(c)));
            Assert.Null(Reject(filter with { MaxDuplicateLineCharacters = 0.3 }, Text(c)));
        }
    }

    [Fact]
    public void Placeholders_symbols_and_bare_signatures_go()
    {
        var placeholder = new PlaceholderFilter();
        Assert.Equal("placeholder", Reject(placeholder,
            "X method\n\nThis API supports the product infrastructure and is not intended to be used directly from your code."));
        Assert.Equal("placeholder", Reject(placeholder, "X.Y method\n\nTo be added."));
        Assert.Null(Reject(placeholder, "String.Join method (System)\n\nConcatenates the elements of an array."));
        Assert.Throws<ArgumentException>(() => new PlaceholderFilter { Patterns = [@"(a)\1"] });
        Assert.Equal("few_letters", Reject(new AlphabeticFilter(), "12 34 56 a"));
        Assert.Null(Reject(new AlphabeticFilter(), "mostly letters 12"));
        Assert.Equal("no_prose", Reject(new ProseFilter(), "__m512i _mm512_srav_epi32 (__m512i a, __m512i b)\n\nVPSRAVD zmm1"));
        Assert.Null(Reject(new ProseFilter(), "Releases a handle."));
    }

    [Fact]
    public void Every_catalogued_filter_can_be_made_and_is_total()
    {
        foreach (var (name, type) in FilterCatalogue.Filters)
        {
            var filter = (DocumentFilter)Activator.CreateInstance(type)!;
            Assert.Matches("^[a-z0-9_]+$", name);
            // What needs a setting (a model, a file) says so, and is tested with one.
            if (type.GetMethod("Validate")?.Invoke(filter, null) is IEnumerable<(string, string)> faults && faults.Any())
                continue;
            foreach (var text in new[] { "", "\n", "\uD800", "\u0000", new string('(', 5000), "a\u2028b", "😀" })
                _ = filter.Reject(new("id", text));
        }
    }

    [Fact]
    public void Pipeline_output_does_not_depend_on_threads()
    {
        var random = new Random(11);
        var documents = Enumerable.Range(0, 3000).Select(i => new Document(
            $"{i}", string.Concat(Enumerable.Range(0, random.Next(60)).Select(_ => "the of a river 1 2 3\n. "[random.Next(23)]))))
            .ToList();
        var pipeline = new FilterPipeline(
            [new LengthFilter { MinCharacters = 10 }, new AlphabeticFilter { MinLetters = 0.5 }, new ProseFilter()]);
        var expected = documents.Select(d => (d.Id, new DocumentFilter[]
            { new LengthFilter { MinCharacters = 10 }, new AlphabeticFilter { MinLetters = 0.5 }, new ProseFilter() }
            .Select(f => f.Reject(d)).FirstOrDefault(r => r is not null))).ToList();
        foreach (var threads in new[] { 1, 2, 5 })
        {
            var report = new FilterReport();
            Assert.Equal(expected, pipeline.Run(documents, threads, report).Select(r => (r.Document.Id, r.Reason)));
            Assert.Equal(3000, report.Kept.Documents + report.Dropped.Values.Sum(d => d.Documents));
        }
        Assert.True(expected.Select(e => e.Item2).Distinct().Count() > 2);
    }

    [Fact]
    public void Pipeline_reads_only_what_it_needs_and_passes_errors_on()
    {
        var read = 0;
        IEnumerable<Document> Endless()
        {
            while (true)
                yield return new($"{read++}", "text");
        }
        Assert.Equal(10, new FilterPipeline([]).Run(Endless(), 2).Take(10).Count());
        Assert.InRange(read, 10, 5 * 256);
        Assert.Throws<FormatException>(() => new FilterPipeline([new ThrowingFilter()]).Run([new("1", "t")], 2).ToList());
    }

    private sealed record ThrowingFilter : DocumentFilter
    {
        public override void Apply(WorkingDocument document) => throw new FormatException();
    }
}

using Finery.Data;
using Finery.Data.Filters;
using Finery.Tests.Models;
using Xunit;

namespace Finery.Tests.Data.Filters;

public sealed class C4FilterTests
{
    private const string Lines =
        "The first line is about rivers. It has two sentences!\nIs the second line a question?\n"
        + "She said \"the third line ends here.\"\nA fourth line follows the others.\nA fifth line ends it all.\nAnd a sixth one, too.";

    private static (string? Reason, string Text) Apply(DocumentFilter filter, string text)
    {
        var work = new WorkingDocument(new("id", text));
        filter.Apply(work);
        return (work.Reason, work.Text);
    }

    private static Dictionary<string, double> Statistics(DocumentFilter filter, string text)
    {
        Dictionary<string, double> counts = [];
        var work = new WorkingDocument(new("id", text))
        {
            Observer = m =>
            {
                if (m.Kind == RuleKind.Statistic) counts.Add(m.Rule, m.Value);
            },
        };
        filter.Apply(work);
        return counts;
    }

    [Fact]
    public void Clean_lines_pass_and_stay_the_same_string()
    {
        Assert.Equal((null, Lines), Apply(new C4QualityFilter(), Lines));
        Assert.Same(Lines, Apply(new C4QualityFilter(), Lines).Text);
        Assert.Equal((null, Lines), Apply(new C4QualityFilter(), $"\n \n{Lines}  \r\nmenu\n\n"));
    }

    [Theory]
    [InlineData("This site uses cookies to improve your stay.")]
    [InlineData("Read our Privacy Policy before you go on.")]
    [InlineData("Please enable JavaScript in your browser.")]
    [InlineData("too short.")]
    [InlineData("no terminal punctuation mark at all")]
    [InlineData("this one trails off...")]
    [InlineData("a citation ends this line [12]")]
    public void Bad_lines_are_left_out(string line)
    {
        Assert.Equal((null, Lines), Apply(new C4QualityFilter(), $"{line}\n{Lines}"));
        Assert.Equal((null, Lines), Apply(new C4QualityFilter(), Lines.Replace("\nA fifth", $"\n{line}\nA fifth")));
        Assert.Equal((null, Lines), Apply(new C4QualityFilter(), $"{Lines}\n{line}"));
    }

    [Theory]
    [InlineData("Lorem Ipsum dolor sit amet.", "lorem_ipsum")]
    [InlineData("lorem ipsum dolor sit amet.", "lorem_ipsum")]
    [InlineData("if (x) { return y; }.", "curly_bracket")]
    public void Bad_documents_go(string line, string reason)
    {
        Assert.Equal(reason, Apply(new C4QualityFilter(), $"{Lines}\n{line}").Reason);
        // A line that is left out before it is looked at does no harm.
        Assert.Null(Apply(new C4QualityFilter(), $"{Lines}\n{line} and so on").Reason);
        var lenient = new C4QualityFilter { RejectLoremIpsum = false, RejectCurlyBrackets = false };
        Assert.Null(Apply(lenient, $"{Lines}\n{line}").Reason);
    }

    [Fact]
    public void Sentences_are_counted_to_the_threshold()
    {
        Assert.Equal("too_few_sentences", Apply(new C4QualityFilter(), "Just one sentence.").Reason);
        const string four = "One is here now. Two is here now. Three is here now. Four is here now.";
        Assert.Equal("too_few_sentences", Apply(new C4QualityFilter(), four).Reason);
        Assert.Null(Apply(new C4QualityFilter(), four + " Five is it.").Reason);
        Assert.Null(Apply(new C4QualityFilter { MinSentences = 4 }, four).Reason);
        Assert.Equal((null, ""), Apply(new C4QualityFilter { MinSentences = 0 }, "menu"));
        // Abbreviations end no sentence, and an ellipsis is one word that ends none.
        Assert.Equal(
            "too_few_sentences", Apply(new C4QualityFilter(), "Mr. A. B. Smith, e.g., met Dr. No... Then he left.").Reason);
    }

    [Fact]
    public void Citations_are_deleted_from_lines_that_stay()
    {
        const string cited = "A line[1] with[] citations[citation needed] in it[edit] stays.";
        Assert.Equal(Lines + "\nA line with citations in it stays.", Apply(new C4QualityFilter(), $"{Lines}\n{cited}").Text);
        Assert.Equal($"{Lines}\n{cited}", Apply(new C4QualityFilter { RemoveCitations = false }, $"{Lines}\n{cited}").Text);
        // Too few words is said of the line as it was.
        Assert.EndsWith("\n  .", Apply(new C4QualityFilter(), Lines + "\n[1] [2] [edit].").Text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_line_with_a_long_word_goes_by_its_code_points()
    {
        string Line(int length) => string.Concat(Enumerable.Repeat("😀", length)) + " is the word.";
        Assert.Equal($"{Lines}\n{Line(1000)}", Apply(new C4QualityFilter(), $"{Lines}\n{Line(1000)}").Text);
        Assert.Equal(Lines, Apply(new C4QualityFilter(), $"{Lines}\n{Line(1001)}").Text);
    }

    [Fact]
    public void Lines_end_where_Python_ends_them()
    {
        string text = Lines.Replace("\n", "\u2028") + "\x1Cmenu\x85menu";
        Assert.Equal((null, Lines), Apply(new C4QualityFilter(), text));
    }

    [Fact]
    public void Sentence_mode_joins_what_is_kept_by_spaces()
    {
        const string text =
            "One is here now.\nTwo is here now. No. Three uses cookies here. Four is here now. Five is it. Six is it too.";
        Assert.Equal(
            (null, "One is here now. Two is here now. Four is here now. Five is it. Six is it too."),
            Apply(new C4QualityFilter { BySentence = true }, text));
    }

    [Fact]
    public void Line_statistics_are_measured()
    {
        string text = $"{Lines}\nmenu\ntoo short.\nThis site uses cookies here.\nEnable javascript right now.\n"
            + $"{new string('x', 1001)} is long.";
        Assert.Equal(
            new Dictionary<string, double>
            {
                ["line-total"] = 11, ["line-kept"] = 6, ["line-filter-too_long_word"] = 1, ["line-filter-no_terminal_punc"] = 1,
                ["line-filter-too_few_words"] = 1, ["line-filter-javascript"] = 1, ["line-filter-policy"] = 1,
            },
            Statistics(new C4QualityFilter(), text));
    }

    [Fact]
    public void Later_filters_see_the_rewritten_text()
    {
        var work = new WorkingDocument(new("id", $"{Lines}\n" + string.Concat(Enumerable.Repeat("menu\n", 40))));
        new FineWebQualityFilter().Apply(work);
        Assert.NotNull(work.Reason);
        work.Start(new("id", $"{Lines}\n" + string.Concat(Enumerable.Repeat("menu\n", 40))));
        _ = work.View.Words;
        new C4QualityFilter().Apply(work);
        new FineWebQualityFilter().Apply(work);
        Assert.Null(work.Reason);
    }

    [Fact]
    public void Three_long_lines_make_a_page()
    {
        string Text(int lines, string c, int length) =>
            string.Join('\n', Enumerable.Repeat(string.Concat(Enumerable.Repeat(c, length)), lines)) + "\nshort";
        Assert.Null(Apply(new C4ParagraphFilter(), Text(3, "a", 250)).Reason);
        Assert.Null(Apply(new C4ParagraphFilter(), Text(3, "😀", 200)).Reason);
        Assert.Equal("< 3 paragraphs", Apply(new C4ParagraphFilter(), Text(3, "😀", 199)).Reason);
        Assert.Equal("< 3 paragraphs", Apply(new C4ParagraphFilter(), Text(2, "a", 250)).Reason);
        Assert.Equal("< 3 paragraphs", Apply(new C4ParagraphFilter(), "").Reason);
    }

    [Fact]
    public void Bad_words_stand_alone_unless_the_script_has_no_spaces()
    {
        using var folder = new TemporaryFolder();
        string file = Path.Combine(folder.Path, "words.txt");
        File.WriteAllText(file, "Bad\n\n  very bad phrase \nx\n");
        string? Reason(string text, string language = "en") =>
            Apply(new C4BadWordsFilter { WordsFile = file, Language = language }, text).Reason;
        Assert.Equal("document_removed_with_badwords", Reason("a BAD word"));
        Assert.Equal("document_removed_with_badwords", Reason("bad"));
        Assert.Equal("document_removed_with_badwords", Reason("badly, but bad!"));
        Assert.Equal("document_removed_with_badwords", Reason("a very bad phrase."));
        Assert.Null(Reason("badly bad_ ébad bad2"));
        Assert.Null(Reason(""));
        Assert.Equal("document_removed_with_badwords", Reason("badly", "ja"));
        Assert.Equal("document_removed_with_badwords", Apply(new C4BadWordsFilter(), "free porn here").Reason);
        Assert.Null(Apply(new C4BadWordsFilter(), "a popcorn stand").Reason);
        Assert.Throws<ArgumentException>(() => Apply(new C4BadWordsFilter { Language = "de" }, "text"));
        Assert.ThrowsAny<IOException>(() => Apply(new C4BadWordsFilter { WordsFile = file + ".none" }, "text"));
        var impossible = new C4BadWordsFilter { Language = "de", KeepFraction = 2 };
        Assert.Equal(["WordsFile", "KeepFraction"], impossible.Validate().Select(problem => problem.Property));
        Assert.Empty(new C4BadWordsFilter().Validate());
    }

    [Fact]
    public void A_fraction_of_the_bad_is_kept_by_seed_and_id()
    {
        HashSet<int> Kept(long seed) => [.. Enumerable.Range(0, 2000).Where(i =>
            new C4BadWordsFilter { KeepFraction = 0.25, Seed = seed }.Reject(new Document($"{i}", "porn")) is null)];
        Assert.InRange(Kept(1).Count, 430, 570);
        Assert.Equal(Kept(1), Kept(1));
        Assert.NotEqual(Kept(1), Kept(2));
    }
}

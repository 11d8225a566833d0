using Finery.Data.Extraction;
using Xunit;

namespace Finery.Tests.Data.Extraction;

public sealed class HtmlExtractorTests
{
    private const string First =
        "The river rises in the hills above the town, where snow lies until the end of May in most years.";
    private const string Second =
        "From there it runs, at first quickly and then with many bends, through meadows that are flooded each spring.";
    private const string Third =
        "Mills stood along its banks for centuries; only two of them, both of stone, are still at work today.";

    internal static string Paragraphs => $"<p>{First}</p><p>{Second}</p><p>{Third}</p>";

    internal static string Page(string content, string before = "", string after = "") =>
        "<!DOCTYPE html><html lang=\"en-GB\"><head><title>The river - Some site</title><style>p { color: red }</style></head>" +
        $"<body>{before}<div class=\"entry-content\">{content}</div>{after}</body></html>";

    private static string Extract(string html) => new HtmlExtractor().Extract(html).Text;

    private static string[] Lines(string html) => Extract(html).Split('\n');

    private static void AssertArticleOnly(string html) => Assert.Equal([First, Second, Third], Lines(html));

    [Fact]
    public void The_article_is_kept_with_a_line_for_each_paragraph()
    {
        var result = new HtmlExtractor().Extract(Page(Paragraphs));
        Assert.Equal(string.Join('\n', First, Second, Third), result.Text);
        Assert.Equal("The river - Some site", result.Title);
        Assert.Equal("en-GB", result.Language);
        Assert.Equal(ExtractionOutcome.Extracted, result.Outcome);
        Assert.Equal("own_1", result.Stage);
    }

    [Theory]
    [InlineData("<div id=\"comments\"><p>I was there last year and liked it very much, although it rained for a week.</p></div>")]
    [InlineData("<section class=\"comment-list\"><p>I was there last year and liked it, although it rained.</p></section>")]
    [InlineData("<div class=\"post-comments\"><p>I was there last year and liked it very much, although it rained.</p></div>")]
    [InlineData("<div id=\"disqus_thread\"><p>I was there last year and liked it very much, although it rained.</p></div>")]
    [InlineData("<nav><p>A menu that is written as a paragraph, with words enough to be taken for one.</p></nav>")]
    [InlineData("<aside><p>A note at the side that is written as a paragraph, with words enough for one.</p></aside>")]
    [InlineData("<footer><p>All rights to this are with the publisher of the pages, wherever they are read.</p></footer>")]
    [InlineData("<form><p>Give us your address and we will write to you whenever there is a flood.</p><input></form>")]
    [InlineData("<script>var text = '<p>The river is a variable here.</p>';</script>")]
    [InlineData("<noscript><p>This page needs a program to be run by your browser in order to be read.</p></noscript>")]
    [InlineData("<header><p>Published on a day in spring by one of the authors of these pages.</p></header>")]
    [InlineData("<div class=\"share-buttons\"><p>Tell all your friends about this river of ours.</p></div>")]
    [InlineData("<div class=\"related-stories\"><p>Another story that you would like to read next.</p></div>")]
    [InlineData("<div class=\"newsletter-signup\"><p>Each week we send a letter about all rivers.</p></div>")]
    [InlineData("<div class=\"cookie-notice\"><p>These pages keep something on your machine.</p></div>")]
    [InlineData("<div class=\"teaser\"><p>The next river is longer, and much deeper, than the one before.</p></div>")]
    [InlineData("<div style=\"display: none\"><p>Nobody sees this paragraph, for it is not displayed.</p></div>")]
    [InlineData("<div aria-hidden=\"true\"><p>Nobody sees this paragraph, for it is hidden from all.</p></div>")]
    [InlineData("<p hidden>Nobody sees this paragraph, for it is hidden from all of them.</p>")]
    [InlineData("<figure><img src=\"a.png\"><figcaption>The river in a picture of the last century</figcaption></figure>")]
    [InlineData("<svg><text>River</text><path d=\"M 0\"/></svg>")]
    [InlineData("<svg viewBox=\"0 0 1 1\"><title/><style/><path d=\"M 0\"/></svg>")]
    [InlineData("<select><option>Rivers</option><option>Lakes</option></select><button>Go</button>")]
    [InlineData("<template><p>A paragraph for later use that a script might copy at some time.</p></template>")]
    [InlineData("<p>Facebook</p>")]
    [InlineData("<p>Related: <a href=\"/lakes\">The lakes in the hills above the town and what lives in them</a></p>")]
    [InlineData("<h2>Read next</h2>")]
    [InlineData("<!-- a comment with <p>a paragraph</p> in it -->")]
    public void Boilerplate_in_the_body_is_left_out(string boilerplate) => AssertArticleOnly(Page(Paragraphs + boilerplate));

    [Fact]
    public void Lists_of_links_are_left_out_and_links_in_text_stay()
    {
        var links = string.Concat(Enumerable.Range(0, 12).Select(
            i => $"<li><a href=\"/{i}\">Another article, number {i}</a></li>"));
        AssertArticleOnly(Page(Paragraphs + $"<ul>{links}</ul>"));
        AssertArticleOnly(Page(Paragraphs + $"<div>{links}</div>"));
        Assert.Contains("with many bends", Extract(Page(Paragraphs.Replace("many bends", "<a href=x>many bends</a>"))));
    }

    [Fact]
    public void A_quotation_of_a_social_network_is_text_though_what_embeds_it_is_not()
    {
        const string post = "<div class=\"social-embed\">" +
            "<blockquote><p>We saw a beaver at the lower mill this morning!</p></blockquote></div>";
        Assert.Contains("a beaver at the lower mill", Extract(Page(Paragraphs + post + Paragraphs)));
    }

    [Fact]
    public void Later_articles_are_not_taken_for_the_first_however_short_it_is()
    {
        var html = $"<body><article><h1>On patience</h1><p>Short, but there is nothing more to say about it.</p></article>" +
            $"<article><h2>The river</h2>{Paragraphs}</article></body>";
        Assert.Equal("Short, but there is nothing more to say about it.", Extract(html));
    }

    [Fact]
    public void Articles_loaded_after_the_first_are_left_out_unless_the_first_is_among_them()
    {
        var more =
            $"<div class=\"infinite-scroll\"><div class=\"entry-content\">{Paragraphs.Replace("river", "lake")}</div></div>";
        AssertArticleOnly(Page(Paragraphs + more));
        AssertArticleOnly($"<body><div class=\"infinite-scroll\"><article>{Paragraphs}</article></div></body>");
    }

    [Fact]
    public void The_headline_is_the_title_and_other_headings_are_lines()
    {
        var html = Page($"<h1>The river</h1><p>{First}</p><h2>Its course</h2><p>{Second}</p><p>{Third}</p>");
        Assert.Equal([First, "Its course", Second, Third], Lines(html));
        Assert.StartsWith("The river\n", new HtmlExtractor { Headline = true }.Extract(html).Text);
    }

    [Fact]
    public void Lists_have_dashes_and_nested_ones_are_indented()
    {
        var html = Page(Paragraphs + "<ul><li>Upper mill<ol><li>wheel<li>stones</ol><li><p>Lower mill</p></ul>" +
            "<dl><dt>Weir</dt><dd>A low dam</dd></dl>");
        Assert.Equal(["- Upper mill", "  - wheel", "  - stones", "- Lower mill", "- Weir", "- A low dam"], Lines(html)[3..]);
    }

    [Fact]
    public void Line_breaks_end_lines()
    {
        var html = Page($"<p>{First}<br>{Second}<br/><br>{Third}</p>");
        AssertArticleOnly(html);
        AssertArticleOnly(Page($"{First}<br><br>{Second}<br>{Third}"));
    }

    [Fact]
    public void Tables_of_data_are_rows_and_tables_for_layout_are_not()
    {
        var html = Page(Paragraphs + "<table><tr><th>Mill<th>Wheels<tr><td>Upper</td><td>2</td></tr><tr><td>Lower<td></table>");
        Assert.Equal(["Mill | Wheels", "Upper | 2", "Lower |"], Lines(html)[3..]);
        AssertArticleOnly($"<table role=\"presentation\"><tr><td>{Paragraphs}</td></tr></table>");
        AssertArticleOnly($"<table><tr><td>{Paragraphs}</td><td></td></tr></table>");
        Assert.DoesNotContain("Upper", new HtmlExtractor { Tables = false }.Extract(html).Text);
    }

    [Fact]
    public void Programs_keep_lines_and_indentation()
    {
        const string code = "def flow(depth):\n    if depth &lt; 2:\n        return 0\n\n    return depth";
        foreach (var block in new[]
        {
            $"<pre><code>{code}</code></pre>", $"<pre>\n{code}\n</pre>",
            $"<figure class=\"highlight\"><pre>{code}</pre></figure>",
            $"<table><tr><td class=\"gutter\"><pre>1\n2\n3</pre></td><td class=\"code\"><pre>{code}</pre></td></tr></table>",
            $"<div class=\"highlight\"><pre><span class=\"k\">" +
                $"{code.Replace(" 0", "</span> <span>0</span><span>")}</span></pre></div>",
        })
        {
            Assert.EndsWith(
                "\ndef flow(depth):\n    if depth < 2:\n        return 0\n\n    return depth", Extract(Page(Paragraphs + block)));
        }
    }

    [Theory]
    [InlineData("<math alttext=\"x^2\"><mi>x</mi><mn>2</mn></math>", @"\(x^2\)")]
    [InlineData("<math display=\"block\"><semantics><mi>x</mi>" +
        "<annotation encoding=\"application/x-tex\">x &lt; 2</annotation></semantics></math>", @"\[x < 2\]")]
    [InlineData("<img class=\"latex\" alt=\"\\frac{a}{b}\" src=\"f.png\">", @"\(\frac{a}{b}\)")]
    [InlineData("<script type=\"math/tex\">a < b</script>", @"\(a < b\)")]
    [InlineData("<script type=\"math/tex; mode=display\">a + b</script>", @"\[a + b\]")]
    [InlineData("<span class=\"katex\"><span class=\"katex-mathml\"><math>" +
        "<annotation encoding=\"application/x-tex\">c</annotation></math></span>" +
        "<span aria-hidden=\"true\">c</span></span>", @"\(c\)")]
    [InlineData("<math><annotation encoding=\"application/x-tex\">q</annotation></math>" +
        "<img class=\"mwe-math-fallback\" alt=\"q\">", @"\(q\)")]
    [InlineData("<math><mi>x</mi><mo>=</mo><mn>1</mn></math>", "x=1")]
    public void Formulas_are_kept(string formula, string expected)
    {
        var html = Page(Paragraphs + $"<p>The depth is {formula} at the lower mill, where it is measured.</p>");
        Assert.Equal($"The depth is {expected} at the lower mill, where it is measured.", Lines(html)[3]);
    }

    [Fact]
    public void Character_references_are_resolved()
    {
        var html = Page(Paragraphs + "<p>Mills &amp; more &#8211; caf&eacute; &#x41;&nbsp;&copy &notit; &unknown; " +
            "&#128; AT&T &hearts;, all of them.</p>");
        Assert.Equal("Mills & more – café A © ¬it; &unknown; € AT&T ♥, all of them.", Lines(html)[3]);
    }

    [Fact]
    public void White_space_and_inline_elements_do_not_break_words_or_lines()
    {
        var html = Page($"<p>  The <b>ri</b>ver <i> rises</i>\n in\tthe <a href=x>hills</a>.</p>{Paragraphs}");
        Assert.Equal("The river rises in the hills.", Lines(html)[0]);
    }

    [Fact]
    public void Headings_may_link_to_themselves_and_programs_may_have_buttons()
    {
        var html = Page($"<p>{First}</p><h2><a href=\"#course\">Its course</a></h2><p>{Second}</p>" +
            $"<div><a href=\"/run\">Run this</a><a href=\"/x\">Copy</a><pre>flow()</pre></div><p>{Third}</p>");
        Assert.Contains("Its course", Lines(html));
        Assert.Contains("flow()", Lines(html));
        Assert.Contains("// comment", Extract(Page(Paragraphs + "<pre>x <span class=\"comment\">// comment</span></pre>")));
    }

    [Fact]
    public void What_holds_most_of_the_text_is_not_what_its_name_says() =>
        AssertArticleOnly(Page($"<div class=\"layout_sidebar\">{Paragraphs}</div><p>Facebook</p>"));

    [Fact]
    public void Long_entries_of_lists_count_where_there_is_no_body()
    {
        var item = "Mills need water all the year, which is why each had a pond above it.";
        Assert.Equal([First, "- " + item, "- " + First], Lines($"<div><p>{First}</p><ul><li>{item}</li><li>{First}</li></ul></div>"));
    }

    [Fact]
    public void Missing_end_tags_are_implied() => AssertArticleOnly(
        $"<title>x</title><div class=post-content><p>{First}<p>{Second}<p><b>{Third}");

    [Fact]
    public void Paragraphs_without_a_body_are_found() => AssertArticleOnly($"<div class=\"x1\">{Paragraphs}</div>");

    [Fact]
    public void Text_in_divisions_counts_where_there_are_no_paragraphs() =>
        AssertArticleOnly(Page($"<div>{First}</div><div>{Second}</div><div>{Third}</div>"));

    [Fact]
    public void A_form_around_the_whole_page_is_no_form() => AssertArticleOnly(
        $"<body><form id=\"aspnetForm\"><div class=\"entry-content\">{Paragraphs}</div></form></body>");

    [Fact]
    public void Repeated_lines_are_dropped_within_a_page_alone()
    {
        Assert.Equal([First, Second], Lines(Page($"<p>{First}</p><p>{First}</p><p>{Second}</p>")));
        var html = Page($"<p>{Second}</p><p>{First}</p>");
        for (var i = 0; i < 4; i++)
            Assert.Equal([Second, First], Lines(html));
    }

    [Fact]
    public void Comments_can_be_kept()
    {
        var html = Page(Paragraphs, after: "<div id=\"comments\"><p>I was there last year.</p>" +
            "<form><textarea>Say</textarea></form></div>");
        Assert.Equal([First, Second, Third, "I was there last year."],
            new HtmlExtractor { Comments = true }.Extract(html).Text.Split('\n'));
    }

    [Theory]
    [InlineData("")]
    [InlineData("   \n ")]
    [InlineData("<html><body></body></html>")]
    [InlineData("<nav>Menu</nav>")]
    [InlineData("<script>1</script>")]
    [InlineData("<")]
    [InlineData("<!--")]
    [InlineData("<p title=\"")]
    public void Pages_without_text_are_empty(string html)
    {
        var result = new HtmlExtractor().Extract(html);
        Assert.Equal(ExtractionOutcome.Empty, result.Outcome);
        Assert.Equal("", result.Text);
    }

    [Fact]
    public void Text_of_other_languages_is_chosen_without_stop_words()
    {
        var html = "<body><div>Menü</div><div>" + string.Join("</div><div>", Enumerable.Range(1, 2).Select(i =>
            $"Der Fluss Nummer {i} entspringt in den Bergen oberhalb der Stadt, fließt durch " +
            "weite Wiesen und mündet nach vielen Bögen.")) + "</div></body>";
        Assert.Contains("entspringt in den Bergen", Extract(html));
    }
}

using System.Text;
using AngleSharp.Html;
using AngleSharp.Html.Parser;
using Finery.Data.Extraction;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Finery.Tests.Data.Extraction;

public sealed class ExtractionRobustnessTests
{
    private static readonly HtmlExtractor Unlimited = new() { MaxNodes = 0, MaxMilliseconds = 0 };

    private static readonly string[] Pieces =
    [
        "<p>", "</p>", "<div>", "</div>", "<div class=\"entry-content\">", "<table>", "<tr>", "<td>", "</table>", "<ul>",
        "<li>", "</ul>", "<a href=x>", "</a>", "<b>", "</b>", "<pre>", "</pre>", "<h2>", "</h2>", "<br>", "<svg>", "</svg>",
        "<math>", "</math>", "<script>", "</script>", "<style>", "</style>", "<!--", "-->", "<!", "<?", "</", "<", ">",
        "&amp;", "&", "&#", "&#x110000;", "&notin", "\"", "'", "=", "<p class='", "<title>", "</title>", "<body>", "</body>",
        "<html>", "<head>", "<form>", "</form>", "<article>", "</article>", "<option>", "<dd>", "<dt>", "<q>",
        "some words, of no meaning. ", "\n", "\0", "\uD83D", "\uDE00", "é", "<textarea>", "</textarea>", "<plaintext>",
        "<button>", "<blockquote>", "<caption>", "<col>", "<template>", "<figure>", "<noscript>", "</noscript>",
        "<custom-element>", "</custom-element>", "<section id=comments>",
    ];

    [Fact]
    public void Any_order_of_tags_gives_text_without_them() =>
        Prop.ForAll(Gen.Elements(Pieces).ListOf(200).ToArbitrary(), pieces =>
        {
            var text = Unlimited.Extract(string.Concat(pieces)).Text;
            Assert.DoesNotContain("<p>", text);
            // At the end of a page "</" is text.
            Assert.DoesNotMatch(@"</\S", text);
            Assert.Equal(text.Trim('\n'), text);
        }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData("<div>")]
    [InlineData("<b>")]
    [InlineData("<p><a href=x>")]
    [InlineData("<ul><li>")]
    [InlineData("<table><tr><td>")]
    [InlineData("<blockquote>x")]
    [InlineData("<custom-element>")]
    [InlineData("<svg>")]
    [InlineData("</div>")]
    [InlineData("<!-->")]
    [InlineData("<")]
    [InlineData("<a ")]
    [InlineData("&")]
    [InlineData("<h1>x")]
    [InlineData("<option>x")]
    [InlineData("<div class=infinite-scroll>x</div>")]
    [InlineData("<div class=related>x")]
    [InlineData("<article><div class='entry-content'>x")]
    public void Half_a_million_of_the_same_end_soon(string piece)
    {
        var html = new StringBuilder("<p>Some text before all of it, which may be kept.</p>");
        for (var i = 0; i < 500_000 / piece.Split('<').Length; i++)
            html.Append(piece);
        var outcome = Unlimited.Extract(html.ToString()).Outcome;
        Assert.True(outcome is ExtractionOutcome.Extracted or ExtractionOutcome.Empty);
    }

    [Fact]
    public void A_million_nested_elements_need_no_stack()
    {
        var thread = new Thread(() =>
        {
            var html = string.Concat(Enumerable.Repeat("<div>", 1_000_000)) + HtmlExtractorTests.Paragraphs;
            Assert.Contains("with many bends", Unlimited.Extract(html).Text);
            Assert.Equal(ExtractionOutcome.TooComplex, new HtmlExtractor().Extract(html).Outcome);
        }, 256 << 10);
        thread.Start();
        thread.Join();
    }

    [Fact]
    public void Long_attributes_and_many_of_them_are_read()
    {
        var longValue = $"<p class=\"{new string('x', 1_000_000)}\">";
        var many = "<p " + string.Concat(Enumerable.Range(0, 200_000).Select(i => $"a{i}=b ")) + ">";
        foreach (var start in new[] { longValue, many, "<p title='" + new string('<', 1_000_000) + "'>" })
            Assert.Contains(
                "with many bends", Unlimited.Extract(HtmlExtractorTests.Page(start + HtmlExtractorTests.Paragraphs)).Text);
    }

    [Fact]
    public void Mutated_pages_are_extracted_without_failing()
    {
        var random = new Random(7);
        string[] pages = [HtmlExtractorTests.Page(HtmlExtractorTests.Paragraphs), Everything];
        for (var i = 0; i < 10_500; i++)
        {
            var page = Mutate(random, new StringBuilder(pages[i % pages.Length]));
            var result = Unlimited.Extract(page);
            Assert.True(result.Outcome is ExtractionOutcome.Extracted or ExtractionOutcome.Empty);
            if (i % 10 == 0)
                Assert.Equal(result, Unlimited.Extract(page));
        }
    }

    [Fact]
    public void Mutated_real_pages_are_extracted_without_failing()
    {
        var random = new Random(11);
        foreach (var (_, html, _) in WebArticles.Pages)
        {
            for (var i = 0; i < 3; i++)
                Assert.NotNull(Unlimited.Extract(Mutate(random, new StringBuilder(html))).Text);
        }
    }

    [Fact]
    public void Text_and_tags_are_those_of_a_full_tokenizer()
    {
        foreach (var html in new[] { Everything, HtmlExtractorTests.Page(HtmlExtractorTests.Paragraphs) })
            Assert.Equal(Theirs(html), Ours(html));
    }

    [Fact]
    public void Text_and_tags_of_real_pages_are_those_of_a_full_tokenizer()
    {
        foreach (var (id, html, _) in WebArticles.Pages)
        {
            var (ours, theirs) = (Ours(html), Theirs(html));
            var same = ours.Zip(theirs).TakeWhile(pair => pair.First == pair.Second).Count();
            Assert.True(same == ours.Count && same == theirs.Count,
                $"{id}: token {same} of {ours.Count}: {ours.ElementAtOrDefault(same)}, expected " +
                $"{theirs.ElementAtOrDefault(same)}");
        }
    }

    private const string Everything =
        "<!DOCTYPE html><html><head><title>A &amp; B</title>" +
        "<script>if (a < b) document.write('<p>');</script><style>a>b{}</style></head>" +
        "<body class=x><!-- a --- comment --><div id='content' data-x=1 hidden>" +
        "<h1>Head</h1><p>One<br/>two <b>three</p><ul><li>a<li>b</ul>" +
        "<table><tr><td>1<td>2</table><pre>  x\n y</pre><textarea><p></textarea>" +
        "<math><mi>x</mi></math><svg><path d=\"\"/></svg>" +
        "<a href=\"?a=1&b=2\">link</a><form><input disabled value='>'></form></div>" +
        "<? pi ?><![CDATA[x]]></ x><3 & 4</body></html>";

    private static string Mutate(Random random, StringBuilder page)
    {
        var changes = random.Next(1, 20);
        for (var i = 0; i < changes && page.Length > 1; i++)
        {
            var at = random.Next(page.Length);
            switch (random.Next(4))
            {
                case 0:
                    page[at] = (char)(page[at] ^ (1 << random.Next(8)));
                    break;
                case 1:
                    page.Remove(at, Math.Min(random.Next(1, 40), page.Length - at));
                    break;
                case 2:
                    page.Insert(random.Next(page.Length), page.ToString(at, Math.Min(random.Next(1, 200), page.Length - at)));
                    break;
                default:
                    page.Insert(at, Pieces[random.Next(Pieces.Length)]);
                    break;
            }
        }
        if (random.Next(4) == 0)
            page.Length = random.Next(page.Length + 1);
        return page.ToString();
    }

    private static List<string> Ours(string html)
    {
        List<string> tokens = [];
        var tokenizer = new Finery.Data.Extraction.HtmlTokenizer(html);
        while (tokenizer.Read())
        {
            var name = html.Substring(tokenizer.Start, tokenizer.Length);
            if (tokenizer.Kind == HtmlTokenKind.Text)
                AddText(tokens, Plain(name));
            else
            {
                tokens.Add((tokenizer.Kind == HtmlTokenKind.StartTag ? "<" : "</") + name.ToLowerInvariant());
                if (tokenizer.Kind == HtmlTokenKind.StartTag && IsRaw(name))
                {
                    tokenizer.ReadRawText(name);
                    AddText(tokens, IsReferenced(name) ? Plain(html.Substring(tokenizer.Start, tokenizer.Length)) : "");
                }
            }
        }
        return tokens;
    }

    private static List<string> Theirs(string html)
    {
        List<string> tokens = [];
        using var tokenizer = new AngleSharp.Html.Parser.HtmlTokenizer(
            new AngleSharp.Text.TextSource(html), HtmlEntityProvider.Resolver);
        var raw = false;
        while (true)
        {
            var token = tokenizer.Get();
            if (token.Type == HtmlTokenType.EndOfFile)
                return tokens;
            if (token.Type == HtmlTokenType.Character)
            {
                if (!raw)
                    AddText(tokens, token.Data);
                continue;
            }
            if (token.Type is not (HtmlTokenType.StartTag or HtmlTokenType.EndTag))
                continue;
            raw = false;
            tokens.Add((token.Type == HtmlTokenType.StartTag ? "<" : "</") + token.Name.ToLowerInvariant());
            if (token.Type != HtmlTokenType.StartTag || !IsRaw(token.Name))
                continue;
            raw = !IsReferenced(token.Name);
            tokenizer.State = token.Name == "script" ? HtmlParseMode.Script : raw ? HtmlParseMode.Rawtext : HtmlParseMode.RCData;
        }
    }

    private static bool IsReferenced(string name) => name is "title" or "textarea";

    private static bool IsRaw(string name) =>
        IsReferenced(name) || HtmlNames.Tag(name).HasFlagRaw();

    private static string Plain(string text)
    {
        var plain = new StringBuilder();
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '&' && CharacterReference.Read(text.AsSpan(i), out var length) is { } symbol)
            {
                plain.Append(symbol);
                i += length - 1;
            }
            else
                plain.Append(text[i]);
        }
        return plain.ToString();
    }

    // Texts are one token or several; line ends and null characters are as each likes.
    private static void AddText(List<string> tokens, string text)
    {
        text = text.Replace("\r\n", "\n").Replace('\r', '\n').Replace("\0", "").Replace("\uFFFD", "");
        if (text.Length == 0)
            return;
        if (tokens.Count > 0 && !tokens[^1].StartsWith('<'))
            tokens[^1] += text;
        else
            tokens.Add(text.StartsWith('<') ? " " + text : text);
    }
}

internal static class RawTags
{
    public static bool HasFlagRaw(this HtmlTag tag) => tag.Is(TagTraits.RawText);
}

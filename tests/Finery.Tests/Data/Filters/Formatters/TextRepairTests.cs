using System.Text;
using Finery.Data.Filters.Formatters;
using Xunit;

namespace Finery.Tests.Data.Filters.Formatters;

public sealed class TextRepairTests
{
    private static readonly TextRepair s_curated = new();

    private static readonly TextRepair s_everything = new()
    {
        FixLatinLigatures = true, FixCharacterWidth = true, UncurlQuotes = true, FixLineBreaks = true,
        Normalization = NormalizationKind.Nfc,
    };

    [Theory]
    [InlineData("l\u00E2\u0080\u0099intelligence", "l’intelligence")]
    [InlineData("hello\0world", "helloworld")]
    [InlineData("price &gt; 10", "price > 10")]
    [InlineData("âœ” No problems", "✔ No problems")]
    [InlineData("(à¸‡'âŒ£')à¸‡", "(ง'⌣')ง")]
    [InlineData("doesnÃƒÂ¢Ã¢â€šÂ¬Ã¢â€žÂ¢t", "doesn’t")]
    [InlineData("l’humanitÃ©", "l’humanité")]
    [InlineData("Ã\u00A0 perturber la rÃ©flexion", "à perturber la réflexion")]
    [InlineData("Ã perturber la rÃ©flexion", "à perturber la réflexion")]
    [InlineData("voilÃ le travail", "voilà le travail")]
    [InlineData("P&EACUTE;REZ", "PÉREZ")]
    [InlineData("BUNDESSTRA&SZLIG;E", "BUNDESSTRASSE")]
    [InlineData("&ntilde; &Ntilde; &NTILDE; &nTILDE;", "ñ Ñ Ñ &nTILDE;")]
    [InlineData("IL Y MARQUÉ…", "IL Y MARQUÉ…")]
    [InlineData("This text is sad .â\x81”.", "This text is sad .⁔.")]
    [InlineData("This text is fine already :þ", "This text is fine already :þ")]
    [InlineData("AHÅ™, the new sofa from IKEA®", "AHÅ™, the new sofa from IKEA®")]
    [InlineData("not such a fan of Charlotte Brontë…”", "not such a fan of Charlotte Brontë…”")]
    [InlineData("This text was never UTF-8 at all\x85", "This text was never UTF-8 at all…")]
    [InlineData("â€œ like this â€\uFFFD", "“ like this \uFFFD")]
    [InlineData("\x1B[36;44mI'm blue, da ba dee\x1B[0m", "I'm blue, da ba dee")]
    [InlineData("\uFEFFWhere do you want to go?", "Where do you want to go?")]

    [InlineData("😀 stays", "😀 stays")]
    [InlineData("&amp;lt;", "<")]
    [InlineData("&#8217;&#x80;&#0;&#59;&#xD800;&#1114112;&#65a;", "’€\uFFFD&#59;\uFFFD\uFFFD&#65a;")]
    [InlineData("this&not that &copy &unknown; &", "this&not that &copy &unknown; &")]
    [InlineData("ﬂuﬃeﬆ ＬＯＵＤ “x”", "ﬂuﬃeﬆ ＬＯＵＤ “x”")]
    public void Examples_that_are_known(string text, string expected) => Assert.Equal(expected, s_curated.Fix(text));

    [Theory]
    [InlineData("&macr;\\_(ã\x83\x84)_/&macr;", "¯\\_(ツ)_/¯")]
    [InlineData("Broken text&hellip; it&#x2019;s ﬂubberiﬁc!", "Broken text… it's flubberific!")]
    [InlineData("ＬＯＵＤ　ＮＯＩＳＥＳ Ｕﾀｰﾝ", "LOUD NOISES Uターン")]
    [InlineData("“here’s a test”", "\"here's a test\"")]
    [InlineData("one\r\ntwo\rthree\u2028four", "one\ntwo\nthree\nfour")]
    [InlineData("cafe\u0301", "café")]
    public void Fixes_that_are_off_by_default_work(string text, string expected) =>
        Assert.Equal(expected, s_everything.Fix(text));

    [Fact]
    public void References_stay_from_the_first_line_that_looks_like_html()
    {
        Assert.Equal("a > b\n<p>a &gt; b\na &gt; b", s_curated.Fix("a &gt; b\n<p>a &gt; b\na &gt; b"));
        Assert.Equal("<a> >", (s_curated with { UnescapeHtml = HtmlEntityMode.Always }).Fix("<a> &gt;"));
        Assert.Equal("&gt;", (s_curated with { UnescapeHtml = HtmlEntityMode.Never }).Fix("&gt;"));
    }

    [Fact]
    public void Lone_surrogates_are_replaced_and_pairs_stay() =>
        Assert.Equal("a\uFFFDb \uFFFD 😀", s_curated.Fix("a\uD83Db \uDE00 😀"));

    [Fact]
    public void Sound_text_is_returned_itself()
    {
        foreach (var text in new[]
        {
            "", "Hello, this is a normal sentence.\nAnother\tone.", "Über große Straßen läuft’s.\nПривет, мир!",
            "日本語のテキスト 한국어 ไทย",
            "“Curly” – dashes — 50 € • naïve résumé: ¿qué?", "العربية نص",
        })
            Assert.Same(text, s_curated.Fix(text));
    }

    [Fact]
    public void Text_read_in_the_wrong_encoding_comes_back()
    {
        CodePagesEncodingProvider.Instance.GetEncoding(1252);
        string[] texts =
        [
            "Das schöne Mädchen läuft über die Straße.", "Ich hätte “gerne” fünf Brötchen — für später…",
            "L’été dernier, j’étais à Genève.",
            "¿Qué pasó con el niño? ¡Mañana!", "Привет, мир! Как дела?", "Ελληνικά κείμενα εδώ", "日本語のテキスト", "emoji 😀 too",
        ];
        foreach (var text in texts)
        {
            foreach (var codePage in new[] { 28591, 1252 })
            {
                var encoding = codePage == 28591 ? Encoding.Latin1 : CodePagesEncodingProvider.Instance.GetEncoding(codePage)!;
                var broken = encoding.GetString(Encoding.UTF8.GetBytes(text));
                Assert.Equal(text, s_curated.Fix(broken));
                Assert.Equal(text, s_curated.Fix(encoding.GetString(Encoding.UTF8.GetBytes(broken))));
            }
        }
    }

    [Fact]
    public void Repair_is_idempotent_and_leaves_valid_text()
    {
        var random = new Random(23);
        const string letters = "aÃ©â€™œ\u0080\u009D Ââ\u00A0ð\uD83D\uDE00Ÿ&amp;#1;\u001B[0m\uFEFFжΩ│¼„";
        for (var round = 0; round < 5000; round++)
        {
            var text = string.Concat(Enumerable.Range(0, random.Next(20)).Select(_ => letters[random.Next(letters.Length)]));
            var once = s_curated.Fix(text);
            Assert.Equal(once, s_curated.Fix(once));
            Assert.Equal(once, Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(once)));
        }
    }

    [Theory]
    [InlineData("&amp;")]
    [InlineData("amp;")]
    [InlineData("&")]
    [InlineData("\x1B[")]
    [InlineData("\x1B[1")]
    [InlineData("Ã")]
    [InlineData("Ã\u0083Â\u0083")]
    [InlineData("â€")]
    [InlineData("\uD800")]
    [InlineData("Ã ")]
    public void Long_hostile_text_comes_back(string unit)
    {
        var text = "&" + string.Concat(Enumerable.Repeat(unit, 200_000 / unit.Length));
        _ = s_curated.Fix(text);
        _ = s_everything.Fix(text);
    }
}

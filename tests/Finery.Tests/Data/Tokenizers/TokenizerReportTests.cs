using System.Text.Json.Nodes;
using Finery.Data.Tokenizers;
using Xunit;

namespace Finery.Tests.Data.Tokenizers;

public class TokenizerReportTests
{
    // " aa" and "aa" of 2 and 3 bytes are tokens of the first, nothing is of the second.
    private static readonly Tokenizer Trained = new BpeTrainer { VocabSize = 260, SpecialTokens = ["<x>"], MinFrequency = 1 }
        .Train(new Dictionary<byte[], long> { [" aa"u8.ToArray()] = 9, ["aa"u8.ToArray()] = 9, ["zq"u8.ToArray()] = 1 });
    private static readonly Tokenizer Bytes = new BpeTrainer { VocabSize = 256, SpecialTokens = [] }.Train(["a"]);

    private static readonly ReportText[] Texts =
    [
        new("aa aa", "en", "a.org"), // 2 words, 5 bytes; aa| aa
        new("aa, <x>", "en", "b.org"), // aa|,| <|x|>: "aa", "x>" holds a letter only in x
        new("é", "fr"), // one letter of two bytes
        new("12"), // no letter
    ];

    [Fact]
    public void Figures_of_a_small_corpus_are_right()
    {
        Assert.Equal(["aa", "Ġaa", "zq"], Enumerable.Range(257, 3).Select(Trained.TokenText));
        var report = TokenizerReport.Measure(Texts, Trained, Bytes);
        Assert.Equal(4, report.Total.Texts);
        Assert.Equal(5 + 7 + 2 + 2, report.Total.Bytes);
        Assert.Equal(16, report.Total.Tokens[1]);
        Assert.Equal(2 + 6 + 2 + 2, report.Total.Tokens[0]);
        Assert.Equal(2 + 2 + 1 + 0, report.Total.Words);
        Assert.Equal(16 / 12.0, report.Total.BytesPerToken(0), 12);
        Assert.Equal(12 / 5.0, report.Total.TokensPerWord(0), 12);

        Assert.Equal([("en", 2, 12L), ("(unknown)", 1, 2L), ("fr", 1, 2L)], report.Languages.Select(g => (g.Name, g.Texts, g.Bytes)));
        Assert.Equal(["b.org", "a.org", "(unknown)"], report.Domains.OrderBy(g => g.Name == "(unknown)").Select(g => g.Name));
        Assert.Equal(8, report.Languages[0].Tokens[0]);

        var figures = report.Tokenizers[0];
        Assert.Equal((3, 1), (figures.Learned, figures.Unused));
        Assert.Equal("zq", Assert.Single(figures.UnusedExamples).Text);
        Assert.Equal((258, "Ġaa", 3L), (figures.Longest[0].Id, figures.Longest[0].Text, figures.Longest[0].Figure));
        Assert.Equal((0, "<x>", 1L), (figures.Special[0].Id, figures.Special[0].Text, figures.Special[0].Figure));
        Assert.Equal((0, 0), (report.Tokenizers[1].Learned, report.Tokenizers[1].Unused));
        Assert.Equal(0, report.EqualTexts);
        Assert.Equal(4, TokenizerReport.Measure(Texts, Trained, Trained).EqualTexts);
        Assert.Equal(256, TokenizerReport.SharedTokens(Trained, Bytes));
    }

    [Fact]
    public void Json_has_a_place_for_each_figure()
    {
        JsonObject json = TokenizerReport.Measure(Texts, Trained, Bytes).ToJson("tokenizer", "reference");
        Assert.Equal(12, (long)json["tokens"]!);
        Assert.Equal(16, (long)json["reference_tokens"]!);
        Assert.Equal(1.0, (double)json["reference"]!["bytes_per_token"]!);
        Assert.Equal("en", (string?)json["by_language"]![0]!["name"]);
        Assert.Equal(1, (long)json["tokenizer"]!["special_tokens"]![0]!["in_text"]!);
        Assert.Empty((JsonArray)TokenizerReport.Measure([new ReportText("a")], Bytes).ToJson("tokenizer")["by_language"]!);
    }
}

using System.Text.Json;
using Finery.Data;
using Finery.Data.Filters;
using Finery.Data.Filters.Languages;
using Finery.Tests.Models;
using Xunit;

namespace Finery.Tests.Data.Filters.Languages;

public sealed class LanguageSettingsTests
{
    private static readonly string[] s_sentences =
    [
        "La maison du boulanger est au bout de la rue, près de la fontaine où les enfants jouent le soir.",
        "Il a passé son enfance dans un village des Alpes, avec une grand-mère qui lui racontait des histoires.",
        "Le conseil municipal a voté hier un budget de douze millions pour la rénovation des écoles.",
        "Une étude parue en mars montre que les abeilles reconnaissent par la couleur les fleurs déjà visitées.",
        "On peut encore visiter l'atelier du peintre, dont le jardin est ouvert d'avril à octobre.",
        "Les vents du nord ont chassé les nuages pendant la nuit, et le ciel était clair au matin.",
    ];

    [Fact]
    public void Bundled_languages_are_those_of_the_reference()
    {
        Assert.Equal(["arb_Arab", "eng_Latn", "fra_Latn", "tha_Thai"], LanguageSettings.Bundled.Keys);
        var french = LanguageSettings.Bundled["fra_Latn"];
        Assert.Equal((0.824, 0.264, 0.1, 0.812), (french.LanguageScore, french.MaxDuplicateLines, french.MinPunctuatedLines,
            french.MinAlphabeticWordRatio));
        Assert.Equal((2.0, 11.0, 0.185), (french.MinAverageWordLength, french.MaxAverageWordLength, french.MaxNewLinesPerWord));
        Assert.Equal([0.161, 0.149, 0.134], french.MaxTopNGram);
        Assert.Equal([0.15, 0.141, 0.131, 0.121, 0.111, 0.1], french.MaxDuplicateNGrams);
        Assert.Contains("à", french.StopWords);
        Assert.Equal((0.711, 0.304, 0.143, 0.787, 9.0, 0.189), Row("arb_Arab"));
        Assert.Equal((0.9, 0.349, 0.0, 0.9, 10.0, 0.153), Row("tha_Thai"));
    }

    [Fact]
    public void English_has_the_defaults_and_the_others_their_exceptions()
    {
        var english = LanguageSettings.Bundled["eng_Latn"].QualityFilters("en");
        DocumentFilter[] defaults = [new GopherRepetitionFilter(), new FineWebQualityFilter(), new GopherQualityFilter()];
        Assert.Equal(defaults.Select(f => JsonSerializer.Serialize<object>(f)),
            english.Select(f => JsonSerializer.Serialize<object>(f)));
        var thai = LanguageSettings.Bundled["tha_Thai"].QualityFilters("tha_Thai");
        Assert.Equal(0, Assert.IsType<GopherRepetitionFilter>(thai[0]).MaxDuplicateParagraphs);
        var quality = Assert.IsType<FineWebQualityFilter>(thai[1]);
        Assert.Equal((0.1, 0.0, 999.0), (quality.MaxDuplicateCharacters, quality.MinPunctuatedLines, quality.MaxShortLines));
    }

    [Fact]
    public void A_file_of_others_is_read_and_mistakes_are_named()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["l.json"], "{\"deu_Latn\": {\"language_score\": 0.8}}");
        var error = Assert.Throws<InvalidDataException>(() => LanguageSettings.Load(folder["l.json"]));
        Assert.Contains("max_duplicate_lines", error.Message);
        File.WriteAllText(folder["l.json"], "{\"deu_Latn\": {\"unknown\": 0.8}}");
        Assert.Throws<InvalidDataException>(() => LanguageSettings.Load(folder["l.json"]));
    }

    [Fact]
    public void A_document_is_judged_by_the_thresholds_of_its_own_language()
    {
        var filter = new LanguageQualityFilter();
        string prose = string.Join("\n", s_sentences);
        Document Of(string language, double score) =>
            new("1", prose) { Metadata = { ["language"] = language, ["language_score"] = score } };
        Assert.Equal("no_language_settings", filter.Reject(Of("xx", 1)));
        Assert.Equal("no_language_settings", filter.Reject(new("1", prose)));
        Assert.Equal("language_score", filter.Reject(Of("fr", 0.82)));
        // 0.7 is enough for English.
        Assert.NotEqual("language_score", filter.Reject(Of("eng_Latn", 0.7)));
        // Another language's settings know other stop words: a file that gives French no words but Thai ones drops French prose.
        using var folder = new TemporaryFolder();
        var thai = LanguageSettings.Bundled["fra_Latn"] with { StopWords = LanguageSettings.Bundled["tha_Thai"].StopWords };
        File.WriteAllText(folder["l.json"], JsonSerializer.Serialize(
            new Dictionary<string, LanguageSettings> { ["fra_Latn"] = thai },
            new JsonSerializerOptions { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower }));
        Assert.Equal("gopher_enough_stop_words",
            new LanguageQualityFilter { SettingsFile = folder["l.json"] }.Reject(Of("fr", 0.9)));
        Assert.Null(filter.Reject(Of("fr", 0.9)));
    }

    private static (double, double, double, double, double, double) Row(string label) =>
        LanguageSettings.Bundled[label] is var s ? (s.LanguageScore, s.MaxDuplicateLines, s.MinPunctuatedLines,
            s.MinAlphabeticWordRatio, s.MaxAverageWordLength, s.MaxNewLinesPerWord) : default;
}

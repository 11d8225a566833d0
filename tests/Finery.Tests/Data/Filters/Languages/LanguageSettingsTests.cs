using System.Text.Json;
using Finery.Data;
using Finery.Data.Filters;
using Finery.Data.Filters.Languages;
using Finery.Tests.Models;
using Xunit;

namespace Finery.Tests.Data.Filters.Languages;

public sealed class LanguageSettingsTests
{
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
        string prose = string.Join("\n", Enumerable.Range(0, 12).Select(i => $"La maison numéro {i} est dans la rue, et le jardin de {i * 7} arbres."));
        Document Of(string language, double score) => new("1", prose) { Metadata = { ["language"] = language, ["language_score"] = score } };
        Assert.Equal("no_language_settings", filter.Reject(Of("xx", 1)));
        Assert.Equal("no_language_settings", filter.Reject(new("1", prose)));
        Assert.Equal("language_score", filter.Reject(Of("fr", 0.82)));
        // 0.7 is enough for English, whose stop words the text lacks.
        Assert.Equal("gopher_enough_stop_words", filter.Reject(Of("eng_Latn", 0.7) with { Text = string.Join("\n", prose.Split('\n').Take(2)) + Distinct() }));
        Assert.NotEqual("gopher_enough_stop_words", filter.Reject(Of("fr", 0.9)));
    }

    private static string Distinct() => string.Concat(Enumerable.Range(0, 80).Select(i => $"\nchose{(char)('a' + i % 26)}{(char)('a' + i / 26)} bien autre{(char)('a' + i % 7)}{(char)('a' + i % 19)}."));

    private static (double, double, double, double, double, double) Row(string label) =>
        LanguageSettings.Bundled[label] is var s ? (s.LanguageScore, s.MaxDuplicateLines, s.MinPunctuatedLines,
            s.MinAlphabeticWordRatio, s.MaxAverageWordLength, s.MaxNewLinesPerWord) : default;
}

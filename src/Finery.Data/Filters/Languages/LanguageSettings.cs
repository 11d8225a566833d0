using System.Text.Json;
using System.Text.Json.Serialization;

namespace Finery.Data.Filters.Languages;

/// <summary>
/// Thresholds of the FineWeb-2 pipeline for one language, under the names of the filters' settings. Four languages come with
/// Finery; <see cref="Load"/> reads a file of others in the same form. Arabic, French and Thai are as published with FineWeb-2
/// (2506.20920), English is FineWeb's.
/// </summary>
public sealed record LanguageSettings
{
    private static readonly JsonSerializerOptions s_options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    };

    private static readonly Lazy<IReadOnlyDictionary<string, LanguageSettings>> s_bundled = new(() =>
    {
        using var stream = typeof(LanguageSettings).Assembly.GetManifestResourceStream("fineweb2-languages.json")!;
        return Read(stream, "fineweb2-languages.json");
    });

    /// <summary>Least score of the language identifier.</summary>
    public required double LanguageScore { get; init; }

    /// <summary>Of <c>gopher_repetition</c>: largest share of repeated lines.</summary>
    public required double MaxDuplicateLines { get; init; }

    /// <summary>Of <c>gopher_repetition</c>: for the most frequent run of 2, 3 and 4 words.</summary>
    public required IReadOnlyList<double> MaxTopNGram { get; init; }

    /// <summary>Of <c>gopher_repetition</c>: for repeated runs of 5 to 10 words.</summary>
    public required IReadOnlyList<double> MaxDuplicateNGrams { get; init; }

    /// <summary>Of <c>gopher_quality</c>.</summary>
    public required double MinAverageWordLength { get; init; }

    /// <summary>Of <c>gopher_quality</c>.</summary>
    public required double MaxAverageWordLength { get; init; }

    /// <summary>Of <c>gopher_quality</c>: least share of words with a letter.</summary>
    public required double MinAlphabeticWordRatio { get; init; }

    /// <summary>Of <c>gopher_quality</c>: two different ones of these must occur.</summary>
    public required IReadOnlyList<string> StopWords { get; init; }

    /// <summary>Of <c>fineweb_quality</c>: least share of lines that end a sentence.</summary>
    public required double MinPunctuatedLines { get; init; }

    /// <summary>Of <c>fineweb_quality</c>: most line feeds a word.</summary>
    public required double MaxNewLinesPerWord { get; init; }

    /// <summary>Of <c>gopher_repetition</c>; 0 disables, as for every language of FineWeb-2.</summary>
    public double MaxDuplicateParagraphs { get; init; }

    /// <inheritdoc cref="MaxDuplicateParagraphs"/>
    public double MaxDuplicateParagraphCharacters { get; init; }

    /// <inheritdoc cref="MaxDuplicateParagraphs"/>
    public double MaxDuplicateLineCharacters { get; init; }

    /// <summary>Of <c>fineweb_quality</c>: largest share of short lines; 999 disables, as in FineWeb-2.</summary>
    public double MaxShortLines { get; init; } = 999;

    /// <summary>Of <c>fineweb_quality</c>: largest share of characters in repeated lines.</summary>
    public double MaxDuplicateCharacters { get; init; } = 0.1;

    /// <summary>The rule filters of FineWeb-2 with these thresholds, in its order.</summary>
    /// <param name="language">Whose words they count: a label such as <c>fra_Latn</c>.</param>
    public IReadOnlyList<DocumentFilter> QualityFilters(string language) =>
    [
        new GopherRepetitionFilter
        {
            Language = language,
            MaxDuplicateParagraphs = MaxDuplicateParagraphs, MaxDuplicateParagraphCharacters = MaxDuplicateParagraphCharacters,
            MaxDuplicateLines = MaxDuplicateLines, MaxDuplicateLineCharacters = MaxDuplicateLineCharacters,
            MaxTopNGram = MaxTopNGram, MaxDuplicateNGrams = MaxDuplicateNGrams,
        },
        new FineWebQualityFilter
        {
            Language = language,
            MinPunctuatedLines = MinPunctuatedLines, MaxShortLines = MaxShortLines,
            MaxDuplicateCharacters = MaxDuplicateCharacters,
            MaxNewLinesPerWord = MaxNewLinesPerWord,
        },
        new GopherQualityFilter
        {
            Language = language,
            MinAverageWordLength = MinAverageWordLength, MaxAverageWordLength = MaxAverageWordLength,
            MinAlphabeticWordRatio = MinAlphabeticWordRatio, StopWords = StopWords,
        },
    ];

    /// <summary>Those that come with Finery, by label such as <c>fra_Latn</c>.</summary>
    public static IReadOnlyDictionary<string, LanguageSettings> Bundled => s_bundled.Value;

    /// <summary>Reads settings by label from a JSON file.</summary>
    /// <exception cref="InvalidDataException">It is not in this form.</exception>
    public static IReadOnlyDictionary<string, LanguageSettings> Load(string path)
    {
        using var stream = File.OpenRead(path);
        return Read(stream, path);
    }

    private static IReadOnlyDictionary<string, LanguageSettings> Read(Stream stream, string path)
    {
        try
        {
            return JsonSerializer.Deserialize<SortedDictionary<string, LanguageSettings>>(stream, s_options)
                ?? throw new InvalidDataException($"'{path}' is empty.");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"'{path}': {e.Message}", e);
        }
    }
}

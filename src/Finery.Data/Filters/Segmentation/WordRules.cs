using System.Collections.Frozen;

namespace Finery.Data.Filters.Segmentation;

/// <summary>Which words a language has.</summary>
internal enum WordRule
{
    /// <summary>spaCy's rules with the exceptions of English.</summary>
    English,

    /// <summary>spaCy's rules for any language that puts spaces between words.</summary>
    Spaced,

    /// <summary>Characters (<see cref="CharacterSplitter"/>).</summary>
    Characters,
}

/// <summary>The rule for a language, by ISO 639 code (<c>en</c>, <c>eng</c>) or code and script (<c>eng_Latn</c>), from
/// <c>WordRules.txt</c>.</summary>
internal static class WordRules
{
    private static readonly FrozenDictionary<string, WordRule> s_rules = Load();

    /// <summary>The rule for a language: of its entry; otherwise of its script.</summary>
    /// <exception cref="ArgumentException">The code is unknown.</exception>
    public static WordRule For(string language) =>
        Find(language) ?? throw new ArgumentException(Unknown(language), nameof(language));

    /// <summary>What is wrong with the language setting of a filter.</summary>
    public static IEnumerable<(string Property, string Message)> Problems(string property, string language) =>
        Find(language) is null ? [(property, Unknown(language))] : [];

    private static WordRule? Find(string language)
    {
        if (s_rules.TryGetValue(language, out var rule))
            return rule;
        var parts = language.Split('_');
        if (parts is [{ Length: 2 or 3 }, { Length: 4 }] && parts[0].All(char.IsAsciiLetterLower)
            && s_rules.TryGetValue("*_" + parts[1], out rule))
            return s_rules.TryGetValue(parts[0], out var own) && own == WordRule.English ? own : rule;
        return null;
    }

    private static string Unknown(string language) =>
        $"There are no word rules for the language '{language}'. Give an ISO 639 code such as 'en', or a code and script such as "
        + "'fra_Latn'.";

    private static FrozenDictionary<string, WordRule> Load()
    {
        var rules = new Dictionary<string, WordRule>(StringComparer.Ordinal);
        foreach (var line in ResourceLines.Of("WordRules.txt"))
        {
            var items = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            foreach (var code in items[1..])
                rules.Add(code, Enum.Parse<WordRule>(items[0], ignoreCase: true));
        }
        return rules.ToFrozenDictionary(StringComparer.Ordinal);
    }
}

using System.Collections.Frozen;
using System.Reflection;

namespace Finery.Data.Classifiers;

/// <summary> A language as a model or a recipe spells it: <c>__label__en</c>, <c>eng_Latn</c>, <c>pt_BR</c>. Two-letter and
/// three-letter codes of one language match each other; a script or region must agree only where both have one.
/// </summary>
/// <param name="Name">Without the prefix of labels.</param>
/// <param name="Language">Its language code.</param>
/// <param name="Script">Four letters (ISO 15924), or null.</param>
/// <param name="Region">Two letters (ISO 3166), or null.</param>
internal sealed record LanguageLabel(string Name, string Language, string? Script, string? Region)
{
    // Lines of codes that mean the same language: ISO 639-1, ISO 639-3, and the individual language a macrolanguage stands for in
    // GlotLID's labels (ar: ara, arb).
    private static readonly Lazy<FrozenDictionary<string, string>> s_canonical = new(ReadCodes);

    public static LanguageLabel Parse(string label)
    {
        var name = label.StartsWith(FastTextTrainingSettings.DefaultLabelPrefix, StringComparison.Ordinal)
            ? label[FastTextTrainingSettings.DefaultLabelPrefix.Length..] : label;
        var parts = name.Split('_', '-');
        return new(
            name, parts[0].ToLowerInvariant(), parts.Skip(1).FirstOrDefault(part => part.Length == 4),
            parts.Skip(1).FirstOrDefault(part => part.Length == 2));
    }

    /// <summary>Whether a text in this language is what <paramref name="wanted"/> asks for.</summary>
    public bool Matches(LanguageLabel wanted) =>
        Canonical(Language) == Canonical(wanted.Language) && Agree(Script, wanted.Script) && Agree(Region, wanted.Region);

    private static bool Agree(string? a, string? b) =>
        a is null || b is null || string.Equals(a, b, StringComparison.OrdinalIgnoreCase);

    private static string Canonical(string code) => s_canonical.Value.GetValueOrDefault(code, code);

    private static FrozenDictionary<string, string> ReadCodes()
    {
        using var reader = new StreamReader(Assembly.GetExecutingAssembly().GetManifestResourceStream("language-codes.txt")!);
        var codes = new Dictionary<string, string>(StringComparer.Ordinal);
        while (reader.ReadLine() is { } line)
        {
            var same = line.Split(' ');
            foreach (var code in same)
                codes.Add(code, same[0]);
        }
        return codes.ToFrozenDictionary(StringComparer.Ordinal);
    }
}

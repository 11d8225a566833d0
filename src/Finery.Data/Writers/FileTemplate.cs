using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Finery.Data.Deduplication;

namespace Finery.Data.Writers;

/// <summary>File names made of a document's values.</summary>
internal sealed partial class FileTemplate(string template, string rank)
{
    private const int MaxValueLength = 56;

    [GeneratedRegex(@"\$\{([^{}]*)\}")]
    private static partial Regex Placeholder();

    [GeneratedRegex("^(con|prn|aux|nul|com[0-9]|lpt[0-9])$", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Device();

    /// <summary>Whether all documents go to the same file.</summary>
    public bool IsFixed { get; } = Placeholder().Matches(template).All(match => match.Groups[1].Value == "rank");

    /// <summary>What is wrong with a template; null if nothing is.</summary>
    public static string? Problem(string template)
    {
        var rest = Placeholder().Replace(template, "x");
        if (rest.Contains("${", StringComparison.Ordinal)
            || Placeholder().Matches(template).Any(match => match.Groups[1].Value.Trim().Length == 0))
            return "has a '${' without a name and '}' after it";
        if (!template.Contains("${rank}", StringComparison.Ordinal) && !template.Contains("${id}", StringComparison.Ordinal))
            return "must contain ${rank}: parts are written at the same time, and each needs its own files";
        return rest.Split('/').Any(segment => segment.Length == 0 || segment[0] == '.' || segment != MadeSafe(segment))
            ? "must be a relative path of plain names, without extension, such as ${language}/${rank}" : null;
    }

    /// <summary>The path of a document's file, relative and without extension.</summary>
    public string Expand(Document document, string? filterReason) =>
        Placeholder().Replace(template, match => Value(match.Groups[1].Value, document, filterReason));

    private string Value(string name, Document document, string? filterReason) => name switch
    {
        "rank" => rank,
        "id" => MadeSafe(document.Id),
        "filter_reason" when filterReason is not null => MadeSafe(filterReason),
        var key => MadeSafe(document.Metadata[key] is { } value
            ? value.GetValueKind() == JsonValueKind.String ? value.ToString() : value.ToJsonString() : ""),
    };

    /// <summary>A value as a file name: letters, digits, <c>-</c>, <c>_</c> and inner dots stay; a long one is cut and told apart
    /// by a hash.</summary>
    public static string MadeSafe(string value)
    {
        var name = new StringBuilder(value.Length);
        foreach (var rune in value.EnumerateRunes())
        {
            var isPlain = Rune.IsLetterOrDigit(rune) || rune.Value is '-' or '_' || (rune.Value == '.' && name.Length > 0);
            name.Append(isPlain ? rune.ToString() : "_");
            if (name.Length > MaxValueLength)
                break;
        }
        while (name.Length > 0 && name[^1] == '.')
            name.Length--;
        if (name.Length > MaxValueLength)
        {
            var hash = XxHash64.Hash(Encoding.UTF8.GetBytes(value)).ToString("x16", CultureInfo.InvariantCulture);
            name.Length = 38 - (char.IsHighSurrogate(name[37]) ? 1 : 0);
            name.Append('-').Append(hash);
        }
        var safe = name.Length == 0 ? "none" : name.ToString();
        return Device().IsMatch(safe) ? "_" + safe : safe;
    }
}

using System.Collections.Frozen;
using System.Globalization;
using System.Text;

namespace Finery.Data.Readers.Encodings;

/// <summary>Encodings by the names that pages use for them (WHATWG Encoding Standard, section 4.2).</summary>
internal static class EncodingLabels
{
    private static readonly FrozenDictionary<string, (string Name, int CodePage)> s_labels = Load();

    /// <summary>The standard's name of an encoding, in lower case; null if the label is unknown.</summary>
    public static string? NameOf(string? label) =>
        label is not null && s_labels.TryGetValue(label.Trim().Trim('"', '\''), out var found) ? found.Name : null;

    /// <summary>The decoder of a standard name; what it cannot decode becomes U+FFFD.</summary>
    public static Encoding Get(string name) => s_labels[name].CodePage switch
    {
        65001 => Encoding.UTF8,
        1200 => Encoding.Unicode,
        1201 => Encoding.BigEndianUnicode,
        var page => CodePagesEncodingProvider.Instance.GetEncoding(
            page, EncoderFallback.ReplacementFallback, new DecoderReplacementFallback("\uFFFD"))!,
    };

    private static FrozenDictionary<string, (string, int)> Load()
    {
        var labels = new Dictionary<string, (string, int)>(StringComparer.OrdinalIgnoreCase);
        foreach (var fields in EncodingResources.Lines("EncodingLabels.txt"))
            foreach (var label in fields.Where((_, i) => i != 1))
                labels[label] = (fields[0], int.Parse(fields[1], CultureInfo.InvariantCulture));
        return labels.ToFrozenDictionary(StringComparer.OrdinalIgnoreCase);
    }
}

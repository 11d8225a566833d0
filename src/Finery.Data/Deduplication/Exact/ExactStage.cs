using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Finery.Data.Deduplication.Exact;

/// <summary>What counts as equal.</summary>
public enum ExactNormalization
{
    /// <summary>The same characters.</summary>
    None,

    /// <summary>The same but for white space.</summary>
    Whitespace,

    /// <summary>The same once simplified (<see cref="SimplifiedText"/>): but for case, punctuation, digits and accents.</summary>
    Simplified,
}

/// <summary>
/// Drops exact duplicates: of all documents whose text (or metadata value) is the same, the one of highest priority is kept, of
/// equals the first. Reason <c>exact_duplicate</c>. Documents without the field equal no other.
/// </summary>
public sealed record ExactStage : EqualKeyStage
{
    /// <summary><c>text</c>, or a metadata key such as <c>url</c>.</summary>
    public string Field { get; init; } = "text";

    /// <summary>What counts as equal.</summary>
    public ExactNormalization Normalization { get; init; } = ExactNormalization.Whitespace;

    /// <summary>Metadata key whose highest value (number, date, else text by its first 8 bytes) is kept; null keeps the
    /// first.</summary>
    public string? PriorityKey { get; init; }

    private protected override string Reason => "exact_duplicate";

    private protected override byte[]? KeyOf(Document document)
    {
        var value = Field == "text" ? document.Text : document.Metadata[Field] switch
        {
            null => null,
            JsonValue text when text.GetValueKind() == JsonValueKind.String => text.GetValue<string>(),
            var other => other.ToJsonString(),
        };
        return value is null ? null : Encoding.UTF8.GetBytes(Normalization switch
        {
            ExactNormalization.Whitespace => ExactDeduplication.Normalise(value),
            ExactNormalization.Simplified => SimplifiedText.Of(value),
            _ => value,
        });
    }

    private protected override ulong PreferenceOf(Document document) =>
        PriorityKey is null ? 0 : Preference.Of(document.Metadata[PriorityKey]);
}

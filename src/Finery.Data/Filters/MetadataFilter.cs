using System.Text.Json;
using System.Text.Json.Nodes;

namespace Finery.Data.Filters;

/// <summary>
/// Keeps documents by one metadata value: a number within bounds, or one of some values; FineWeb-Edu is <c>int_score</c> of at
/// least 3. Reasons <c>metadata_{key}</c>, and <c>missing_{key}</c> where there is no such value.
/// </summary>
public sealed record MetadataFilter : DocumentFilter
{
    /// <summary>Key of the value.</summary>
    public string Key { get; init; } = "int_score";

    /// <summary>Smallest number kept; none for no bound.</summary>
    public double? Min { get; init; }

    /// <summary>Largest number kept; none for no bound.</summary>
    public double? Max { get; init; }

    /// <summary>Values kept, as text; empty for all.</summary>
    public IReadOnlyList<string> Allowed { get; init; } = [];

    /// <summary>Values dropped, as text.</summary>
    public IReadOnlyList<string> Denied { get; init; } = [];

    /// <summary>Whether documents without the value are kept.</summary>
    public bool AllowMissing { get; init; }

    /// <inheritdoc/>
    public override void Apply(WorkingDocument document)
    {
        var value = document.Document.Metadata[Key] as JsonValue;
        var reason = "metadata_" + Key;
        if (value is null || ((Min ?? Max) is not null && NumberOf(value) is null))
        {
            if (!AllowMissing)
                document.Reject("missing_" + Key);
            return;
        }
        if (NumberOf(value) is { } number
            && ((Min is { } min && document.RejectBelow(reason, number, min))
                || (Max is { } max && document.RejectAbove(reason, number, max))))
            return;
        if (Allowed.Count + Denied.Count > 0)
            document.RejectIf(reason, (Allowed.Count > 0 && !Allowed.Contains(TextOf(value))) || Denied.Contains(TextOf(value)));
    }

    /// <summary>Settings that keep everything or nothing.</summary>
    public IEnumerable<(string Property, string Message)> Validate()
    {
        if (Min is null && Max is null && Allowed.Count + Denied.Count == 0)
            yield return (nameof(Min), "Neither a bound nor a value is given to compare with.");
        if (Min > Max)
            yield return (nameof(Min), $"Nothing is at least {Min} and at most {Max}.");
    }

    /// <summary>A number, or a text that is one; null otherwise.</summary>
    internal static double? NumberOf(JsonNode? value) => value is JsonValue scalar
        ? scalar.GetValueKind() switch
        {
            JsonValueKind.Number => Parse(scalar.ToJsonString()),
            JsonValueKind.String => Parse(scalar.GetValue<string>()),
            _ => null,
        }
        : null;

    private static double? Parse(string text) => double.TryParse(
        text, System.Globalization.NumberStyles.Float, System.Globalization.CultureInfo.InvariantCulture, out var number)
        && double.IsFinite(number) ? number : null;

    /// <summary>A text itself, anything else as JSON.</summary>
    internal static string TextOf(JsonValue value) =>
        value.GetValueKind() == JsonValueKind.String ? value.GetValue<string>() : value.ToJsonString();
}

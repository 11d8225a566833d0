using System.Text.Json.Nodes;
using Finery.Data.Filters;

namespace Finery.Data.Curation.Attributes;

/// <summary>
/// Keeps documents by an attribute in their metadata's <c>attributes</c>: how much of the text its spans cover, and their
/// greatest score. Reasons <c>attribute_{name}</c> and, without the attribute, <c>missing_attribute</c>.
/// </summary>
public sealed record AttributeFilter : DocumentFilter
{
    /// <summary>Name of the attribute.</summary>
    public string Attribute { get; init; } = "";

    /// <summary>Spans below this score do not count; none to count all.</summary>
    public double? MinSpanScore { get; init; }

    /// <summary>Largest share of the text that spans may cover.</summary>
    public double? MaxCoverage { get; init; }

    /// <summary>Smallest share of the text that spans must cover.</summary>
    public double? MinCoverage { get; init; }

    /// <summary>Largest score a span may have.</summary>
    public double? MaxScore { get; init; }

    /// <summary>Score that at least one span must have.</summary>
    public double? MinScore { get; init; }

    /// <summary>Whether a document without the attribute is kept; with it, it has no spans.</summary>
    public bool AllowMissing { get; init; } = true;

    /// <inheritdoc/>
    public override void Apply(WorkingDocument document)
    {
        if ((document.Document.Metadata["attributes"] as JsonObject)?[Attribute] is not JsonArray list)
        {
            if (!AllowMissing)
                document.Reject("missing_attribute");
            return;
        }
        var all = DocumentAttributes.FromJson("", new JsonObject { [Attribute] = list.DeepClone() }).Spans[Attribute];
        var spans = all.Where(s => MinSpanScore is not { } least || s.Score >= least).ToList();
        var reason = "attribute_" + Attribute;
        if (MaxCoverage is not null || MinCoverage is not null)
        {
            var coverage = DocumentAttributes.Coverage(spans, CharacterSets.Length(document.Text));
            if ((MaxCoverage is { } most && document.RejectAbove(reason, coverage, most))
                || (MinCoverage is { } few && document.RejectBelow(reason, coverage, few)))
                return;
        }
        var score = spans.Count == 0 ? 0 : spans.Max(s => s.Score);
        _ = (MaxScore is { } high && document.RejectAbove(reason, score, high))
            || (MinScore is { } low && document.RejectBelow(reason, score, low));
    }

    /// <summary>Settings that drop nothing.</summary>
    public IEnumerable<(string Property, string Message)> Validate()
    {
        if (Attribute.Length == 0)
            yield return (nameof(Attribute), "The name of an attribute is needed.");
        if (MaxCoverage is null && MinCoverage is null && MaxScore is null && MinScore is null && AllowMissing)
            yield return (nameof(MaxScore), "Without a bound nothing is dropped.");
    }
}

using System.Text.Json.Nodes;

namespace Finery.Data;

/// <summary>One unit of text on its way through the pipeline. What readers yield and filters judge.</summary>
/// <param name="Id">Unique within a corpus and stable between runs: derived from the source, never from a counter that
/// depends on threads or order.</param>
/// <param name="Text">The text itself, valid UTF-16 (a reader replaces what it cannot decode and counts it).</param>
public sealed record Document(string Id, string Text)
{
    /// <summary>JSON values that travel with the text (<c>url</c>, <c>name</c>, <c>filter_reason</c>, ...). Never null.</summary>
    public JsonObject Metadata { get; init; } = [];
}

using System.Text.Json.Nodes;
using Finery.Data.Filters;

namespace Finery.Data.Curation.Attributes;

/// <summary>A stretch of a text and its score.</summary>
/// <param name="Start">First code point.</param>
/// <param name="End">Behind the last code point.</param>
/// <param name="Score">What the tagger says of it.</param>
public readonly record struct AttributeSpan(long Start, long End, double Score);

/// <summary>What taggers say of one document, kept beside its text, in dolma's form:
/// <c>{"id", "attributes": {name: [[start, end, score], ...]}}</c>.</summary>
/// <param name="Id">Of the document.</param>
/// <param name="Spans">Stretches by the name of the attribute.</param>
public sealed record DocumentAttributes(string Id, IReadOnlyDictionary<string, IReadOnlyList<AttributeSpan>> Spans)
{
    /// <summary>The attributes alone: what stands under <c>attributes</c>.</summary>
    public JsonObject ToJson()
    {
        var json = new JsonObject();
        foreach (var (name, spans) in Spans.OrderBy(s => s.Key, StringComparer.Ordinal))
            json[name] = new JsonArray([.. spans.Select(s => new JsonArray(s.Start, s.End, s.Score))]);
        return json;
    }

    /// <summary>Reads what <see cref="ToJson"/> writes.</summary>
    /// <exception cref="FormatException">An attribute is no list of spans, or a span is none.</exception>
    public static DocumentAttributes FromJson(string id, JsonObject json)
    {
        var attributes = new Dictionary<string, IReadOnlyList<AttributeSpan>>(StringComparer.Ordinal);
        foreach (var (name, spans) in json)
            attributes[name] = spans is JsonArray list ? [.. list.Select(s => Span(s, name))]
                : throw new FormatException($"The attribute '{name}' is no list of spans.");
        return new(id, attributes);
    }

    /// <summary>Share of the text that spans of an attribute cover, overlaps counted once.</summary>
    public static double Coverage(IEnumerable<AttributeSpan> spans, long length)
    {
        long covered = 0, reached = 0;
        foreach (var span in spans.OrderBy(s => s.Start).ThenBy(s => s.End))
        {
            var (start, end) = (Math.Max(span.Start, reached), Math.Min(span.End, length));
            covered += Math.Max(0, end - start);
            reached = Math.Max(reached, end);
        }
        return length == 0 ? 0 : covered / (double)length;
    }

    private static AttributeSpan Span(JsonNode? node, string name) =>
        node is JsonArray { Count: 3 } span && MetadataFilter.NumberOf(span[0]) is { } start
            && MetadataFilter.NumberOf(span[1]) is { } end && MetadataFilter.NumberOf(span[2]) is { } score
            && start >= 0 && end >= start && end <= long.MaxValue / 2
            ? new((long)start, (long)end, score)
            : throw new FormatException($"A span of the attribute '{name}' is not [start, end, score].");
}

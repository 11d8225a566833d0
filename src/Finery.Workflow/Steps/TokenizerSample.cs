using System.Text.Json.Nodes;
using Finery.Data;
using Finery.Data.Tokenizers;

namespace Finery.Workflow.Steps;

/// <summary>A sample of documents to measure tokenizers on: those with the smallest hash of id and place, so that a corpus sorted
/// by language or domain is sampled evenly, and of each at most its beginning.</summary>
public sealed class TokenizerSample
{
    /// <summary>Documents kept.</summary>
    public const int Documents = 2_000;

    private const int MaxChars = 32_768;

    private readonly PriorityQueue<ReportText, (ulong Hash, long Order)> _kept =
        new(Comparer<(ulong, long)>.Create((x, y) => y.CompareTo(x))); // largest first
    private long _order;

    /// <summary>Considers a document.</summary>
    public void Add(Document document)
    {
        var priority = (StableHash.Of(document.Id, (ulong)_order), _order++); // ids may repeat
        if (_kept.Count < Documents) _kept.Enqueue(TextOf(document, MaxChars), priority);
        else if (_kept.TryPeek(out _, out var largest) && priority.CompareTo(largest) < 0)
            _kept.DequeueEnqueue(TextOf(document, MaxChars), priority);
    }

    /// <summary>The sample, in an order of its own.</summary>
    public IEnumerable<ReportText> Texts => _kept.UnorderedItems.OrderBy(item => item.Priority).Select(item => item.Element);

    /// <summary>A document with what its metadata says of <c>language</c> and <c>domain</c>, or the host of its
    /// <c>url</c>.</summary>
    public static ReportText TextOf(Document document, int maxChars = int.MaxValue)
    {
        string text = document.Text;
        if (text.Length > maxChars) text = text[..(char.IsHighSurrogate(text[maxChars - 1]) ? maxChars - 1 : maxChars)];
        string? domain = Metadata("domain")
            ?? (Uri.TryCreate(Metadata("url"), UriKind.Absolute, out var url) && url.Host.Length > 0 ? url.Host : null);
        return new ReportText(text, Metadata("language"), domain);

        string? Metadata(string key) => document.Metadata[key] is JsonValue value && value.TryGetValue(out string? found) ? found : null;
    }
}

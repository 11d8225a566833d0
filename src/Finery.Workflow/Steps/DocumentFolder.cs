using System.Text;
using System.Text.Json.Nodes;
using Finery.Data;
using Finery.Data.Readers;
using Finery.Data.Writers;

namespace Finery.Workflow.Steps;

/// <summary>The <see cref="ArtifactKind.Documents"/> artifact: a folder of gzipped JSON Lines, or of what <c>curate</c> writes.
/// From outside a recipe it may also be what the <c>read</c> step reads: a file, or a folder of text.</summary>
internal static class DocumentFolder
{
    private const string Pattern = "*.jsonl.gz";

    public static IEnumerable<Document> Read(Artifact documents, ReadReport? report = null) =>
        (documents.Producer is not null || IsOurs(documents.Path) ? Open(documents) : DocumentReader.ForPaths([documents.Path]))
            .Read(report ?? new ReadReport());

    /// <summary>The same as a reader that can be split and resumed.</summary>
    public static FileReader Open(Artifact documents) =>
        InputFormats.Open([IsOurs(documents.Path) ? Path.Combine(documents.Path, Pattern) : documents.Path]);

    private static bool IsOurs(string path) => Directory.Exists(path) && Directory.EnumerateFiles(path, Pattern).Any();

    public static JsonLinesWriter Create(string folder) => new(Path.Combine(folder, "00000.jsonl.gz"));

    /// <summary>Fails with advice when nothing is left to work on.</summary>
    public static void RequireSome(long documents, string what)
    {
        if (documents == 0)
            throw new RecipeException($"{what} left no documents. Check the input, and the filters' thresholds in the recipe.");
    }
}

/// <summary>Counts what a stage kept and dropped, with a few examples per reason, for the report.</summary>
internal sealed class Funnel
{
    private const int ExamplesPerReason = 3;
    private const int ExampleCharacters = 400;

    private readonly SortedDictionary<string, Bucket> _dropped = new(StringComparer.Ordinal);
    private readonly Bucket _kept = new();

    public long KeptDocuments => _kept.Documents;

    public void Keep(Document document) => _kept.Add(document);

    public void Drop(Document document, string reason)
    {
        if (!_dropped.TryGetValue(reason, out var bucket)) _dropped[reason] = bucket = new();
        bucket.Add(document);
    }

    /// <summary>Writes kept and dropped documents to their folders while counting them.</summary>
    public void Write(
        IEnumerable<(Document Document, string? Reason)> judged, string keptFolder, string droppedFolder, StepContext context)
    {
        using var kept = DocumentFolder.Create(keptFolder);
        using var dropped = DocumentFolder.Create(droppedFolder);
        long seen = 0;
        foreach (var (document, reason) in judged)
        {
            if (++seen % 4096 == 0)
            {
                context.Stop.ThrowIfCancellationRequested();
                context.Progress(seen, 0, $"{seen:N0} documents, {_kept.Documents:N0} kept");
            }
            if (reason is null)
            {
                Keep(document);
                kept.Write(document);
            }
            else
            {
                Drop(document, reason);
                dropped.Write(document, reason);
            }
        }
        kept.Commit();
        dropped.Commit();
    }

    public void Record(StepContext context)
    {
        context.Summary["kept"] = _kept.ToJson(examples: false);
        var dropped = new JsonObject();
        foreach (var (reason, bucket) in _dropped) dropped[reason] = bucket.ToJson(examples: true);
        context.Summary["dropped"] = dropped;
        long lost = _dropped.Values.Sum(bucket => bucket.Documents);
        context.Log($"{_kept.Documents:N0} of {_kept.Documents + lost:N0} documents kept ({_kept.Bytes / 1e6:F1} MB)"
            + string.Concat(_dropped.OrderByDescending(pair => pair.Value.Documents).Take(4)
                .Select(pair => $"; {pair.Key} {pair.Value.Documents:N0}")));
    }

    private sealed class Bucket
    {
        // The examples are those with the smallest hash of their id: a sample that does not depend on order.
        private readonly SortedList<ulong, Document> _examples = [];

        public long Documents { get; private set; }

        public long Bytes { get; private set; }

        public void Add(Document document)
        {
            Documents++;
            Bytes += Encoding.UTF8.GetByteCount(document.Text);
            _examples[StableHash.Of(document.Id)] = document;
            if (_examples.Count > ExamplesPerReason) _examples.RemoveAt(ExamplesPerReason);
        }

        public JsonObject ToJson(bool examples)
        {
            var json = new JsonObject { ["documents"] = Documents, ["bytes"] = Bytes };
            if (examples) json["examples"] = new JsonArray([.. _examples.Values.Select(Example)]);
            return json;
        }

        private static JsonNode Example(Document document) => new JsonObject
        {
            ["id"] = document.Id,
            ["text"] = document.Text.Length > ExampleCharacters ? document.Text[..ExampleCharacters] + " ..." : document.Text,
            ["duplicate_of"] = document.Metadata["duplicate_of"]?.DeepClone(),
        };
    }
}

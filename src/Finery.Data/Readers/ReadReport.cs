using System.Text;
using System.Text.Json.Nodes;

namespace Finery.Data.Readers;

/// <summary>Items left out or repaired for one reason, with where the first of them was.</summary>
/// <param name="Count">How many.</param>
/// <param name="FirstExample"><c>file:line</c>, or the file alone.</param>
public sealed record ReportedItems(long Count, string FirstExample);

/// <summary>
/// What a reader did with its input: nothing is lost silently. Readers count into it as they go; read it when done.
/// Thread-safe.
/// </summary>
public sealed class ReadReport
{
    private readonly Lock _lock = new();
    private readonly SortedDictionary<string, ReportedItems> _skipped = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, ReportedItems> _repaired = new(StringComparer.Ordinal);
    private long _documents;
    private long _bytes;
    private long _files;

    /// <summary>Files opened.</summary>
    public long Files => Interlocked.Read(ref _files);

    /// <summary>Documents yielded.</summary>
    public long Documents => Interlocked.Read(ref _documents);

    /// <summary>UTF-8 bytes of the text of the documents yielded.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>Items left out, by reason.</summary>
    public IReadOnlyDictionary<string, ReportedItems> Skipped => Snapshot(_skipped);

    /// <summary>Items kept after a repair (such as replaced invalid UTF-8), by reason.</summary>
    public IReadOnlyDictionary<string, ReportedItems> Repaired => Snapshot(_repaired);

    /// <summary>Counts a file that was opened.</summary>
    public void CountFile() => Interlocked.Increment(ref _files);

    /// <summary>Counts a document that is about to be yielded, and returns it.</summary>
    public Document Count(Document document)
    {
        Interlocked.Increment(ref _documents);
        Interlocked.Add(ref _bytes, Encoding.UTF8.GetByteCount(document.Text));
        return document;
    }

    /// <summary>Counts something left out. <paramref name="where"/> is <c>file:line</c> or the file.</summary>
    public void Skip(string reason, string where) => Add(_skipped, reason, where);

    /// <summary>Counts something kept after a repair.</summary>
    public void Repair(string reason, string where) => Add(_repaired, reason, where);

    /// <summary>What was counted so far, for <see cref="FromJson"/>.</summary>
    public JsonObject ToJson() => new()
    {
        ["files"] = Files,
        ["documents"] = Documents,
        ["bytes"] = Bytes,
        ["skipped"] = Describe(Skipped),
        ["repaired"] = Describe(Repaired),
    };

    /// <summary>A report that goes on counting from <see cref="ToJson"/>.</summary>
    public static ReadReport FromJson(JsonObject json)
    {
        var report = new ReadReport
        {
            _files = (long)json["files"]!, _documents = (long)json["documents"]!, _bytes = (long)json["bytes"]!,
        };
        Restore(json["skipped"], report._skipped);
        Restore(json["repaired"], report._repaired);
        return report;
    }

    private static JsonObject Describe(IReadOnlyDictionary<string, ReportedItems> items)
    {
        var json = new JsonObject();
        foreach (var (reason, item) in items)
            json[reason] = new JsonObject { ["count"] = item.Count, ["first"] = item.FirstExample };
        return json;
    }

    private static void Restore(JsonNode? json, SortedDictionary<string, ReportedItems> items)
    {
        foreach (var (reason, item) in json!.AsObject())
            items[reason] = new((long)item!["count"]!, (string)item["first"]!);
    }

    private void Add(SortedDictionary<string, ReportedItems> items, string reason, string where)
    {
        lock (_lock)
            items[reason] = items.TryGetValue(reason, out var seen) ? seen with { Count = seen.Count + 1 } : new(1, where);
    }

    private SortedDictionary<string, ReportedItems> Snapshot(SortedDictionary<string, ReportedItems> items)
    {
        lock (_lock)
            return new(items, StringComparer.Ordinal);
    }
}

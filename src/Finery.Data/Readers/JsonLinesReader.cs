using System.IO.Compression;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Unicode;

namespace Finery.Data.Readers;

/// <summary>
/// JSON Lines, plain or gzip (<c>.jsonl</c>, <c>.jsonl.gz</c>; recognised by content). A line that cannot be used is skipped and
/// counted with its place; of a damaged gzip file everything before the damage is kept.
/// </summary>
/// <remarks>Metadata is the <c>metadata</c> object (or JSON text of one) with the remaining columns laid over it, as datatrove's
/// default adapter does.</remarks>
public sealed record JsonLinesReader : DocumentReader
{
    private static readonly JsonDocumentOptions s_options = new() { AllowDuplicateProperties = false };

    /// <summary>Files or globs.</summary>
    public IReadOnlyList<string> Paths { get; init; } = [];

    /// <summary>Key of the text.</summary>
    public string TextKey { get; init; } = "text";

    /// <summary>Key of the id; without one the id is <c>path/line</c>.</summary>
    public string IdKey { get; init; } = "id";

    /// <summary>Lines above this many bytes are skipped as <c>line_too_long</c>.</summary>
    public int MaxLineBytes { get; init; } = 64 << 20;

    /// <inheritdoc/>
    public override IEnumerable<Document> Read(ReadReport report) =>
        FileGlob.ExpandAll(Paths).SelectMany(path => ReadFile(path, report));

    private IEnumerable<Document> ReadFile(string path, ReadReport report)
    {
        Stream stream;
        try
        {
            stream = Open(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            report.Skip("unreadable_file", $"{path} ({e.Message})");
            yield break;
        }
        using var opened = stream;
        report.CountFile();
        var lines = new ByteLines(stream, MaxLineBytes);
        var source = path.Replace('\\', '/');
        while (TryReadLine(lines, path, report, out var line, out var tooLong))
        {
            var where = $"{path}:{lines.LineNumber}";
            if (tooLong)
                report.Skip("line_too_long", where);
            else if (Parse(line, where, $"{source}/{lines.LineNumber}", report) is { } document)
                yield return report.Count(document);
        }
    }

    private static Stream Open(string path)
    {
        var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        Span<byte> magic = stackalloc byte[2];
        var isGzip = file.ReadAtLeast(magic, 2, throwOnEndOfStream: false) == 2 && magic is [0x1F, 0x8B];
        file.Position = 0;
        return isGzip ? new GZipStream(file, CompressionMode.Decompress) : file;
    }

    private static bool TryReadLine(
        ByteLines lines, string path, ReadReport report, out ReadOnlyMemory<byte> line, out bool tooLong)
    {
        try
        {
            return lines.TryRead(out line, out tooLong);
        }
        catch (Exception e) when (e is InvalidDataException or IOException)
        {
            report.Skip("damaged_file", $"{path}:{lines.LineNumber + 1} ({e.Message})");
            (line, tooLong) = (default, false);
            return false;
        }
    }

    private Document? Parse(ReadOnlyMemory<byte> line, string where, string defaultId, ReadReport report)
    {
        if (line.Span.StartsWith<byte>([0xEF, 0xBB, 0xBF]))
            line = line[3..];
        if (line.Span.Trim(" \t"u8).IsEmpty)
            return null;
        if (!Utf8.IsValid(line.Span))
        {
            line = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(line.Span));
            report.Repair("invalid_encoding", where);
        }
        try
        {
            using var json = JsonDocument.Parse(line, s_options);
            // The escape of a lone surrogate is valid JSON but no valid text; found here, it cannot fail later on.
            if (line.Span.IndexOf("\\ud"u8) >= 0 || line.Span.IndexOf("\\uD"u8) >= 0)
                RequireValidStrings(json.RootElement);
            return ToDocument(json.RootElement, where, defaultId, report);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            report.Skip("bad_json", where);
            return null;
        }
    }

    private Document? ToDocument(JsonElement row, string where, string defaultId, ReadReport report)
    {
        if (row.ValueKind != JsonValueKind.Object
            || !row.TryGetProperty(TextKey, out var text) || text.ValueKind != JsonValueKind.String)
        {
            report.Skip("no_text", where);
            return null;
        }
        var value = text.GetString()!;
        if (string.IsNullOrWhiteSpace(value))
        {
            report.Skip("empty_text", where);
            return null;
        }
        var id = row.TryGetProperty(IdKey, out var named) && named.ValueKind is JsonValueKind.String or JsonValueKind.Number
            ? named.ToString() : defaultId;
        return new Document(id, value) { Metadata = MetadataOf(row) };
    }

    private JsonObject MetadataOf(JsonElement row)
    {
        var metadata = new JsonObject();
        if (row.TryGetProperty("metadata", out var given))
        {
            if (given.ValueKind == JsonValueKind.Object)
                AddAll(metadata, given, _ => true);
            else if (given.ValueKind == JsonValueKind.String && given.GetString() is ['{', ..] embedded)
            {
                using var parsed = JsonDocument.Parse(embedded, s_options);
                AddAll(metadata, parsed.RootElement, _ => true);
            }
        }
        AddAll(metadata, row, key => key != TextKey && key != IdKey && key != "metadata");
        return metadata;
    }

    private static void AddAll(JsonObject target, JsonElement source, Func<string, bool> include)
    {
        foreach (var property in source.EnumerateObject())
            if (include(property.Name))
                target[property.Name] = JsonNode.Parse(property.Value.GetRawText());
    }

    private static void RequireValidStrings(JsonElement element)
    {
        if (element.ValueKind == JsonValueKind.String)
            _ = element.GetString();
        else if (element.ValueKind == JsonValueKind.Array)
            foreach (var item in element.EnumerateArray())
                RequireValidStrings(item);
        else if (element.ValueKind == JsonValueKind.Object)
            foreach (var property in element.EnumerateObject())
            {
                _ = property.Name;
                RequireValidStrings(property.Value);
            }
    }
}

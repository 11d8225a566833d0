using System.IO.Compression;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Finery.Data.Filters;
using Finery.Data.Writers;

namespace Finery.Data.Curation.Attributes;

/// <summary>
/// Files of attributes that run parallel to files of documents: <c>attributes/{name}/{part:00000}.jsonl.gz</c>, a line for each
/// document, in the same order.
/// </summary>
public static class AttributeFile
{
    /// <summary>Where the attributes of a part are.</summary>
    public static string PathOf(string folder, string name, int part) => Path.Combine(folder, name, $"{part:D5}.jsonl.gz");

    /// <summary>Writes a file, gzip when its name ends in <c>.gz</c>; it appears whole or not at all.</summary>
    public static void Write(string path, IEnumerable<DocumentAttributes> documents) => AtomicFile.Write(path, file =>
    {
        using var gzip = path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase)
            ? new GZipStream(file, CompressionLevel.Optimal, leaveOpen: true) : null;
        var output = gzip ?? file;
        foreach (var document in documents)
        {
            var line = new JsonObject { ["id"] = document.Id, ["attributes"] = document.ToJson() }.ToJsonString();
            output.Write(Encoding.UTF8.GetBytes(line + "\n"));
        }
    });

    /// <summary>Reads a file, lazily.</summary>
    /// <exception cref="FormatException">A line is none of attributes.</exception>
    public static IEnumerable<DocumentAttributes> Read(string path)
    {
        foreach (var (line, number) in WordList.ReadFile(path))
            yield return Parse(line, $"{path}:{number}");
    }

    private static DocumentAttributes Parse(string line, string where)
    {
        try
        {
            var row = JsonNode.Parse(line) as JsonObject;
            return row?["id"] is JsonValue id && row["attributes"] is JsonObject attributes
                ? DocumentAttributes.FromJson(MetadataFilter.TextOf(id), attributes)
                : throw new FormatException("not an object with an id and attributes.");
        }
        catch (Exception e) when (e is JsonException or FormatException)
        {
            throw new FormatException($"{where}: {e.Message}", e);
        }
    }
}

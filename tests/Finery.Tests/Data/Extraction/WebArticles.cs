using System.IO.Compression;
using System.Text.Json.Nodes;
using Xunit;

namespace Finery.Tests.Data.Extraction;

/// <summary>Saved pages with the text of each article made by hand, where they are at hand.</summary>
internal static class WebArticles
{
    private static readonly string Folder = Path.Combine(Repository.Data, "web-articles");

    private static readonly Lazy<(string Id, string Html, string Article)[]> Read = new(ReadAll);

    public static (string Id, string Html, string Article)[] Pages
    {
        get
        {
            Assert.SkipUnless(Directory.Exists(Folder), "the pages with their articles are not at hand");
            return Read.Value;
        }
    }

    private static (string, string, string)[] ReadAll()
    {
        var truth = JsonNode.Parse(File.ReadAllText(Path.Combine(Folder, "ground-truth.json")))!.AsObject();
        return [.. truth.Select(pair => (pair.Key, Unzip(pair.Key), (string)pair.Value!["articleBody"]!))];
    }

    private static string Unzip(string id)
    {
        using var file = File.OpenRead(Path.Combine(Folder, "html", id + ".html.gz"));
        using var stream = new GZipStream(file, CompressionMode.Decompress);
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}

using System.Text;
using Finery.Data.Readers;

namespace Finery.Benchmarks;

/// <summary>Real text to encode, held in memory: no document occurs twice, as a cache would profit.</summary>
/// <param name="Name">prose, languages or code.</param>
/// <param name="Documents">Distinct documents.</param>
internal sealed record Corpus(string Name, string[] Documents)
{
    public long Bytes { get; } = Documents.Sum(text => (long)Encoding.UTF8.GetByteCount(text));

    public double MiB => Bytes / (double)(1 << 20);

    /// <summary>The three corpora, each at most <paramref name="bytes"/>; one whose files are not there is left out.</summary>
    /// <param name="data">The folder with <c>text/peps.jsonl.gz</c> and <c>languages/tldr.jsonl.gz</c>; null for shared/data beside the
    /// repository.</param>
    /// <param name="code">A folder of source code; null for this repository.</param>
    /// <param name="bytes">Most bytes of each.</param>
    public static IEnumerable<Corpus> All(string? data, string? code, long bytes)
    {
        data ??= Repository.Data;
        // Two sources of ASCII prose by turns: technical documents, and the documentation that every SDK carries.
        var prose = Distinct(
            Alternating(Texts(Path.Combine(data, "text", "peps.jsonl.gz")), Documentation()).Where(text => Ascii.IsValid(text)), bytes);
        if (prose.Length > 0) yield return new("prose", prose);
        var languages = Distinct(Texts(Path.Combine(data, "languages", "tldr.jsonl.gz")), bytes);
        if (languages.Length > 0) yield return new("languages", languages);
        yield return new("code", Distinct(Sources(code ?? Repository.Root), bytes));
    }

    /// <summary>The technical documents of <c>text/peps.jsonl.gz</c> alone, all of them.</summary>
    public static IEnumerable<Corpus> Technical(string? data)
    {
        string[] documents = [.. Texts(Path.Combine(data ?? Repository.Data, "text", "peps.jsonl.gz"))];
        return documents.Length > 0 ? [new("peps", documents)] : [];
    }

    private static string[] Distinct(IEnumerable<string> texts, long bytes)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        return [.. texts.Where(seen.Add).TakeWhile(text => (bytes -= Encoding.UTF8.GetByteCount(text)) >= 0)];
    }

    private static IEnumerable<string> Alternating(IEnumerable<string> first, IEnumerable<string> second)
    {
        long lead = 0;
        using var rest = second.GetEnumerator();
        foreach (string text in first)
        {
            yield return text;
            for (lead += text.Length; lead > 0 && rest.MoveNext(); lead -= rest.Current.Length) yield return rest.Current;
        }
        while (rest.MoveNext()) yield return rest.Current;
    }

    private static IEnumerable<string> Texts(string path) =>
        File.Exists(path) ? new JsonLinesReader { Paths = [path] }.Read(new()).Select(document => document.Text) : [];

    private static IEnumerable<string> Documentation() => new DotNetDocumentationReader().Read(new()).Select(document => document.Text);

    private static IEnumerable<string> Sources(string folder)
    {
        string[] endings = [".cs", ".py", ".c", ".h", ".cpp", ".js", ".mjs", ".ts", ".rs", ".go", ".java"];
        var options = new EnumerationOptions
        {
            RecurseSubdirectories = true, IgnoreInaccessible = true, AttributesToSkip = FileAttributes.ReparsePoint,
        };
        foreach (string file in Directory.EnumerateFiles(folder, "*", options).Order(StringComparer.Ordinal))
        {
            if (!endings.Contains(Path.GetExtension(file)) || new FileInfo(file).Length is 0 or > 1 << 20) continue;
            string text = File.ReadAllText(file);
            if (!text.Contains('\uFFFD')) yield return text; // not UTF-8
        }
    }
}

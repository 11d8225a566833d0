using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using Finery.Data;
using Finery.Data.Curation;
using Finery.Data.Filters;
using Finery.Data.Readers;
using Finery.Data.Writers;

namespace Finery.Tests.Data.Curation;

/// <summary>Drops texts with a word, and rewrites the others to upper case.</summary>
internal sealed record WordFilter : DocumentFilter
{
    public string Word { get; init; } = "bad";

    public override void Apply(WorkingDocument document)
    {
        if (document.RejectAbove("words", document.Text.Split(Word).Length - 1, 0)) return;
        document.Rewrite(document.Text.ToUpperInvariant());
        document.SetMetadata("seen", true);
    }
}

/// <summary>Keeps the first document of each first word, found in two phases.</summary>
internal sealed record FirstWordStage : CorpusStage
{
    public override IEnumerable<Phase> Phases(Corpus corpus, string folder)
    {
        yield return new("words", corpus.Parts, (part, _) => AtomicFile.WriteText(
            Path.Combine(folder, $"words-{part}"), string.Join('\n', corpus.Read(part).Select(FirstWord))));
        yield return new("merge", 1, (_, _) =>
        {
            var first = new Dictionary<string, string>();
            for (int part = 0; part < corpus.Parts; part++)
                foreach (var (index, word) in File.ReadAllLines(Path.Combine(folder, $"words-{part}")).Index())
                    first.TryAdd(word, $"{part} {index}");
            AtomicFile.WriteText(Path.Combine(folder, "first"), string.Join('\n', first.Values));
        });
    }

    public override PartStage Open(Corpus corpus, string folder, int part) =>
        new Applied(File.ReadAllLines(Path.Combine(folder, "first")).ToHashSet(), part);

    private static string FirstWord(Document document) => document.Text.Split(' ')[0];

    private sealed class Applied(HashSet<string> first, int part) : PartStage
    {
        public override void Apply(WorkingDocument document, long index) =>
            document.RejectIf("seen_word", !first.Contains($"{part} {index}"));
    }
}

/// <summary>Files of documents and a curation over them, with enough parts and checkpoints to be interrupted anywhere.</summary>
internal sealed class SmallCuration : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("finery-curation-").FullName;

    public SmallCuration(int files = 5, int documentsPerFile = 120)
    {
        var random = new Random(11);
        for (int file = 0; file < files; file++)
            File.WriteAllLines(Path.Combine(_folder, $"in-{file}.jsonl"),
                Enumerable.Range(0, documentsPerFile).Select(i => JsonSerializer.Serialize(new
                {
                    id = $"{file}-{i}",
                    text = $"w{random.Next(200)} {(random.Next(4) == 0 ? "bad" : "good")} " + new string('x', random.Next(300)),
                    metadata = new
                    {
                        url = $"https://host{random.Next(9)}.example/{file}/{i}", language = random.Next(3) == 0 ? "fr" : "en",
                    },
                })));
        Settings = new()
        {
            Input = new JsonLinesReader { Paths = [Path.Combine(_folder, "in-*.jsonl")] },
            Stages =
            [
                new LengthFilter { MinCharacters = 12 }, new WordFilter(), new FirstWordStage(),
                new LengthFilter { MaxCharacters = 290 },
            ],
            Output = new() { Format = OutputFormat.Jsonl },
            CheckpointCharacters = 6000,
        };
    }

    public CurationSettings Settings { get; set; }

    public string this[string name] => Path.Combine(_folder, name);

    public CurationFolder Folder(string name) => new(this[name]);

    public CurationResult Run(string name, CurationOptions? options = null, CurationSettings? settings = null) =>
        CurationRun.Run(settings ?? Settings, new JsonObject { ["test"] = true }, Folder(name), options ?? new());

    /// <summary>Name and hash of everything a user takes away: documents, dropped documents, statistics.</summary>
    public IReadOnlyDictionary<string, string> Results(string name) => new[] { "documents", "dropped" }
        .SelectMany(folder => Directory.Exists(Path.Combine(this[name], folder))
            ? Directory.GetFiles(Path.Combine(this[name], folder), "*", SearchOption.AllDirectories) : [])
        .Append(Folder(name).Statistics)
        .ToDictionary(path => Path.GetRelativePath(this[name], path),
            path => Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(path))));

    public IReadOnlyList<Document> Documents(string name) =>
        [.. new JsonLinesReader { Paths = [Path.Combine(this[name], "documents", "*")] }.Read(new())];

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}

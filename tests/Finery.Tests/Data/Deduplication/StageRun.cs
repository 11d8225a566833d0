using Finery.Data;
using Finery.Data.Curation;
using Finery.Data.Filters;

namespace Finery.Tests.Data.Deduplication;

/// <summary>Documents in memory, cut into parts of about equal size.</summary>
internal sealed class MemoryCorpus(IReadOnlyList<Document> documents, int parts, long memoryBytes = 64 << 20) : Corpus
{
    public override int Parts => parts;

    public override long MemoryBytes => memoryBytes;

    public override IEnumerable<Document> Read(int part)
    {
        for (var i = StartOf(part); i < StartOf(part + 1); i++)
            yield return documents[i];
    }

    public int StartOf(int part) => (int)((long)documents.Count * part / parts);
}

/// <summary>Runs a stage's phases and applies it.</summary>
internal static class StageRun
{
    /// <summary>Every document in order with what became of it.</summary>
    public static List<(Document Document, string? Reason)> Run(
        CorpusStage stage, Corpus corpus, string folder, int concurrent = 1, int threads = 1)
    {
        Phases(stage, corpus, folder, concurrent, threads);
        return Apply(stage, corpus, folder);
    }

    public static List<(Document Document, string? Reason)> Run(CorpusStage stage, IReadOnlyList<Document> documents,
        int parts = 1)
    {
        using var folder = new Models.TemporaryFolder();
        return Run(stage, new MemoryCorpus(documents, parts), folder.Path);
    }

    public static void Phases(CorpusStage stage, Corpus corpus, string folder, int concurrent = 1, int threads = 1)
    {
        foreach (var phase in stage.Phases(corpus, folder))
        {
            var context = new TaskContext(corpus.MemoryBytes / concurrent, threads, CancellationToken.None);
            if (concurrent == 1)
                for (var task = phase.Tasks - 1; task >= 0; task--)
                    phase.Run(task, context);
            else
                Parallel.For(0, phase.Tasks, new() { MaxDegreeOfParallelism = concurrent }, task => phase.Run(task, context));
        }
    }

    public static List<(Document Document, string? Reason)> Apply(CorpusStage stage, Corpus corpus, string folder)
    {
        var results = new List<(Document, string?)>();
        for (var part = 0; part < corpus.Parts; part++)
        {
            using var opened = stage.Open(corpus, folder, part);
            long index = 0;
            foreach (var document in corpus.Read(part))
            {
                var work = new WorkingDocument(document);
                opened.Apply(work, index++);
                results.Add((work.Document, work.Reason));
            }
        }
        return results;
    }

    /// <summary>Ids of the documents that stay.</summary>
    public static List<string> Kept(IEnumerable<(Document Document, string? Reason)> results) =>
        [.. results.Where(r => r.Reason is null).Select(r => r.Document.Id)];

    /// <summary>All that came out, as text.</summary>
    public static List<string> Lines(IEnumerable<(Document Document, string? Reason)> results) =>
        [.. results.Select(r => $"{r.Document.Id}|{r.Reason}|{r.Document.Text}|{r.Document.Metadata.ToJsonString()}")];
}

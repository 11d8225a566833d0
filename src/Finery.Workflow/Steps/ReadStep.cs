using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Text.Json.Nodes;
using Finery.Data.Readers;

namespace Finery.Workflow.Steps;

/// <summary>Reads source files into documents.</summary>
[Description("Read source files into documents")]
public sealed record ReadStep : Step
{
    /// <summary>Files, folders or globs (<c>.jsonl</c>, <c>.jsonl.gz</c>, <c>.txt</c>, <c>.md</c>, .NET documentation <c>.xml</c>).</summary>
    [Description("files, folders or globs; none: the XML documentation of the installed .NET SDK")]
    public IReadOnlyList<string> Paths { get; init; } = [];

    /// <summary>Most documents to read; 0 for all.</summary>
    [Description("most documents to read, 0 for all"), Range(0, long.MaxValue)]
    public long Limit { get; init; }

    /// <inheritdoc/>
    public override IReadOnlyList<StepOutput> Outputs => [new("documents", ArtifactKind.Documents)];

    /// <inheritdoc/>
    public override IEnumerable<string> ExternalFiles()
    {
        try
        {
            return Paths.Count == 0 ? DotNetDocumentationReader.FindFiles() : FileGlob.ExpandAll(Paths);
        }
        catch (FileNotFoundException exception)
        {
            throw new RecipeException(exception.Message);
        }
    }

    /// <inheritdoc/>
    public override void Run(StepContext context)
    {
        var reader = Paths.Count == 0 ? new DotNetDocumentationReader() : DocumentReader.ForPaths(Paths);
        var report = new ReadReport();
        using (var writer = DocumentFolder.Create(context.Output("documents")))
        {
            foreach (var document in Limit == 0 ? reader.Read(report) : reader.Read(report).Take((int)Math.Min(Limit, int.MaxValue)))
            {
                writer.Write(document);
                if (writer.Count % 4096 != 0) continue;
                context.Stop.ThrowIfCancellationRequested();
                context.Progress(writer.Count, 0, $"{writer.Count:N0} documents");
            }
            if (writer.Count == 0) throw new RecipeException($"The input has no text: {report.Files:N0} files read{Skipped(report)}.");
            writer.Commit();
        }

        context.Summary["files"] = report.Files;
        context.Summary["kept"] = new JsonObject { ["documents"] = report.Documents, ["bytes"] = report.Bytes };
        context.Summary["skipped"] = Items(report.Skipped);
        context.Summary["repaired"] = Items(report.Repaired);
        context.Log($"{report.Documents:N0} documents, {report.Bytes / 1e6:F1} MB of text from {report.Files:N0} files");
        if (report.Skipped.Count > 0) context.Warn("left out" + Skipped(report)[1..]);
    }

    private static string Skipped(ReadReport report) => string.Concat(report.Skipped
        .OrderBy(pair => pair.Key, StringComparer.Ordinal)
        .Select(pair => $"; {pair.Value.Count:N0} items skipped for {pair.Key}, first {pair.Value.FirstExample}"));

    private static JsonObject Items(IReadOnlyDictionary<string, ReportedItems> items)
    {
        var json = new JsonObject();
        foreach (var (reason, item) in items.OrderBy(pair => pair.Key, StringComparer.Ordinal))
            json[reason] = new JsonObject { ["documents"] = item.Count, ["example"] = item.FirstExample };
        return json;
    }
}

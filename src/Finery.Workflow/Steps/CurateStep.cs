using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Text.Json.Nodes;
using Finery.Data.Curation;
using Finery.Data.Readers;
using Finery.Data.Readers.Remote;
using Finery.Data.Writers;
using Finery.Workflow.Recipes;
using Finery.Workflow.Runs.Report;

namespace Finery.Workflow.Steps;

/// <summary>Curates a corpus of any size: reads, extracts, filters, deduplicates and writes documents through a list of
/// stages.</summary>
[Description("Read, extract, filter and deduplicate documents through a list of stages")]
public sealed record CurateStep : Step
{
    /// <summary>Files, folders or globs: WARC, WET, JSON Lines, Parquet, CSV, HTML, text; also <c>s3://</c> and
    /// <c>https://</c>.</summary>
    [Description("files, folders, globs, s3:// or https:// addresses")]
    public IReadOnlyList<string> Paths { get; init; } = [];

    /// <summary>Documents of an earlier step, instead of paths.</summary>
    [Input(ArtifactKind.Documents), Description("documents of an earlier step, instead of paths")]
    public Artifact? Documents { get; init; }

    /// <summary>Format of the files; told by their names if not given.</summary>
    [Description("format of the files, if their names do not tell it")]
    public string? Format { get; init; }

    /// <summary>Key or column of the text, in formats that have such.</summary>
    [Description("key or column of the text (JSON Lines, Parquet, CSV)")]
    public string TextKey { get; init; } = "text";

    /// <summary>Key or column of the id.</summary>
    [Description("key or column of the id")]
    public string IdKey { get; init; } = "id";

    /// <summary>Stages in order.</summary>
    [Description("stages, in order")]
    public IReadOnlyList<CurationStage> Stages { get; init; } = [];

    /// <summary>How the curated documents are written.</summary>
    [Description("how documents are written")]
    public OutputSettings Output { get; init; } = new();

    /// <summary>Whether dropped documents are written too.</summary>
    [Description("write dropped documents too, with their reason")]
    public bool KeepDropped { get; init; } = true;

    /// <summary>Tokenizer that counts the funnel's tokens.</summary>
    [Description("tokenizer file or folder that counts the funnel's tokens")]
    public string? Tokenizer { get; init; }

    /// <summary>Mebibytes of input in a part, the unit of parallel work.</summary>
    [Description("MiB of input in a part, the unit of parallel work"), Range(1, 1 << 20)]
    public int PartMegabytes { get; init; } = 64;

    /// <summary>Documents read of each part at most; 0 for all.</summary>
    [Description("documents read of each part at most, 0 for all"), Range(0, long.MaxValue)]
    public long Limit { get; init; }

    /// <summary>Mebibytes of text between two checkpoints inside a part.</summary>
    [Description("MiB of text between checkpoints inside a part"), Range(1, 4096)]
    public int CheckpointMegabytes { get; init; } = 32;

    /// <summary>Memory for stages that look across documents, in mebibytes.</summary>
    [Neutral, Description("MiB of memory for stages that look across documents"), Range(64, 1 << 24)]
    public int MemoryMegabytes { get; init; } = 2048;

    /// <inheritdoc/>
    public override IReadOnlyList<StepOutput> Outputs => [new("documents", ArtifactKind.Documents)];

    /// <inheritdoc/>
    public override IEnumerable<(string Property, string Message)> Validate()
    {
        if (Paths.Count == 0 == Documents is null)
            yield return (nameof(Paths), "give either 'paths' or 'documents', not " + (Documents is null ? "neither" : "both"));
        if (Format is not null && !InputFormats.Names.Contains(Format))
            yield return (nameof(Format), $"'format' is one of {string.Join(", ", InputFormats.Names)}, not '{Format}'");
    }

    /// <inheritdoc/>
    public override IEnumerable<string> ExternalFiles()
    {
        if (Paths.Count == 0) return [];
        try
        {
            return Input().Parts(long.MaxValue).Select(part => part.Path).Where(path => !InputFile.IsRemote(path));
        }
        catch (FileNotFoundException exception)
        {
            throw new RecipeException(exception.Message);
        }
    }

    /// <summary>As the engine takes it.</summary>
    public CurationSettings ToSettings() => new()
    {
        Input = Input(),
        Stages = Stages,
        Output = Output,
        KeepDropped = KeepDropped,
        Tokenizer = Tokenizer,
        PartBytes = (long)PartMegabytes << 20,
        Limit = Limit,
        CheckpointCharacters = (long)CheckpointMegabytes << 20,
    };

    /// <summary>The settings that decide what comes out, as JSON.</summary>
    public JsonObject Describe() => RecipeWriter.Settings(this, RecipeSchema.Default, forKey: true);

    /// <inheritdoc/>
    public override void Run(StepContext context)
    {
        var folder = new CurationFolder(context.Folder);
        var result = CurationRun.Run(ToSettings(), Describe(), folder, new()
        {
            Workers = context.Threads,
            MemoryBytes = (long)MemoryMegabytes << 20,
            Stop = context.Stop,
            Log = context.Log,
            Progress = context.Progress,
        });
        if (!result.Finished) throw new InvalidOperationException(result.Message);
        var statistics = result.Statistics!;
        CurationReport.Write(folder, statistics);
        Summarize(context.Summary, statistics);
        context.Log(CurationReport.Line(statistics));
    }

    private FileReader Input() =>
        Documents is null ? InputFormats.Open(Paths, Format, TextKey, IdKey) : DocumentFolder.Open(Documents);

    private static void Summarize(JsonObject summary, CurationStatistics statistics)
    {
        static JsonObject Of(Volume volume) => new() { ["documents"] = volume.Documents, ["bytes"] = volume.Bytes };
        static JsonArray Examples(StageStatistics stage, string reason) => new([.. stage.Examples.GetValueOrDefault(reason)?
            .Documents.Values.Select(example => (JsonNode)new JsonObject { ["id"] = example.Id, ["text"] = example.Text })
            ?? []]);

        summary["kept"] = Of(statistics.Written);
        var dropped = new JsonObject();
        foreach (var stage in statistics.Stages)
        {
            foreach (var (reason, volume) in stage.Dropped)
            {
                var described = Of(volume);
                described["examples"] = Examples(stage, reason);
                dropped[dropped.ContainsKey(reason) ? $"{stage.Name}: {reason}" : reason] = described;
            }
        }
        summary["dropped"] = dropped;
        var skipped = new JsonObject();
        foreach (var (reason, items) in statistics.Skipped)
            skipped[reason] = new JsonObject { ["documents"] = items.Count, ["example"] = items.FirstExample };
        summary["skipped"] = skipped;
    }
}

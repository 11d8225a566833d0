using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using Finery.Data.Readers;
using Finery.Data.Tokenizers;
using Finery.Data.Writers;

namespace Finery.Data.Curation;

/// <summary>
/// Runs one part through one segment: reads, judges, writes what is kept and what is dropped. Every few megabytes it saves where
/// it is; killed at any moment and started again it ends with the same bytes and counts.
/// </summary>
internal sealed class PartRun(CurationPlan plan, Segment segment, int part, CurationFolder folder, Tokenizer? tokenizer)
{
    private static readonly OutputSettings s_intermediate = new() { Format = OutputFormat.JsonlZst };

    private readonly string _name = CurationFolder.PartName(part);
    private readonly string _statePath = folder.PartState(segment.Index, part);

    private bool IsLast => segment.Index == plan.Segments.Count - 1;

    /// <summary>Documents read so far, for progress.</summary>
    public long Documents { get; private set; }

    /// <summary>Runs it to its end.</summary>
    /// <param name="head">The corpus stage's part, disposed by the caller.</param>
    /// <param name="stop">Ends it by <see cref="OperationCanceledException"/>; the next run goes on from the last
    /// checkpoint.</param>
    /// <param name="advanced">Called now and then.</param>
    public void Run(PartStage? head, CancellationToken stop, Action advanced)
    {
        var state = PartState.Load(_statePath);
        try
        {
            Run(state, head, stop, advanced);
        }
        catch (Exception e) when (state.Index > 0 && e is FileNotFoundException or InvalidDataException)
        {
            // The partial files do not fit the state (renamed already, or damaged): the same bytes from the start.
            File.Delete(_statePath);
            Run(new(), head, stop, advanced);
        }
    }

    /// <summary>Whether a finished part's files are all there, in their full length.</summary>
    public static bool IsIntact(CurationFolder folder, string recordPath)
    {
        if (!File.Exists(recordPath))
            return false;
        try
        {
            return JsonNode.Parse(File.ReadAllBytes(recordPath))!["files"]!.AsArray().All(file =>
                new FileInfo(Path.Combine(folder.Root, (string)file!["name"]!)) is { Exists: true } info
                && info.Length == (long)file["bytes"]!);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or NullReferenceException or FormatException)
        {
            return false;
        }
    }

    private void Run(PartState state, PartStage? head, CancellationToken stop, Action advanced)
    {
        var report = state.Report;
        var meter = new PartMeter(segment, head, state.Statistics, tokenizer);
        var keptFolder = IsLast ? folder.Documents : folder.Kept(segment.Index);
        using var kept = DocumentWriter.Create(IsLast ? plan.Settings.Output : s_intermediate, keptFolder, _name, state.Kept);
        using var dropped = plan.Settings.KeepDropped
            ? DocumentWriter.Create(s_intermediate, folder.Dropped(segment.Index), _name, state.Dropped) : null;
        using var cursor = Open(report, state.Position);
        var index = state.Index;
        long characters = 0;
        while ((segment.Index > 0 || plan.Settings.Limit == 0 || index < plan.Settings.Limit) && cursor.Read() is { } document)
        {
            stop.ThrowIfCancellationRequested();
            characters += document.Text.Length;
            var judged = meter.Judge(document, index);
            if (judged.Reason is { } reason)
                dropped?.Write(judged.Document, reason);
            else
            {
                if (IsLast)
                    meter.Write(judged);
                for (var copy = 0; copy < judged.Copies; copy++)
                    kept.Write(judged.Document);
            }
            index++;
            if (++Documents % 64 == 0)
                advanced();
            if (characters < plan.Settings.CheckpointCharacters)
                continue;
            characters = 0;
            new PartState(index, cursor.Position, kept.Checkpoint(), dropped?.Checkpoint(),
                meter.Statistics, report).Save(_statePath);
        }
        if (segment.Index > 0)
            KeptCorpus.RequireIntact(report);
        kept.Commit();
        dropped?.Commit();
        Record(meter.Statistics, report, kept, dropped);
    }

    private DocumentCursor Open(ReadReport report, long position) => segment.Index == 0
        ? plan.Settings.Input.Open(plan.Parts[part], report, position)
        : new JsonLinesReader().Open(new(folder.KeptFile(segment.Index - 1, part)), report, position);

    private void Record(CurationStatistics statistics, ReadReport report, DocumentWriter kept, DocumentWriter? dropped)
    {
        statistics.Parts = segment.Index == 0 ? 1 : 0;
        foreach (var (reason, items) in report.Skipped)
            statistics.Skipped[reason] = new() { Count = items.Count, FirstExample = items.FirstExample };
        foreach (var (reason, items) in report.Repaired)
            statistics.Repaired[reason] = new() { Count = items.Count, FirstExample = items.FirstExample };
        var record = new JsonObject
        {
            ["files"] = new JsonArray([.. kept.Files.Concat(dropped?.Files ?? []).Select(Describe)]),
            ["statistics"] = statistics.ToNode(),
        };
        AtomicFile.WriteText(folder.PartRecord(segment.Index, part), record.ToJsonString());
        File.Delete(_statePath);
    }

    private JsonNode Describe(string path)
    {
        using var file = File.OpenRead(path);
        return new JsonObject
        {
            ["name"] = Path.GetRelativePath(folder.Root, path).Replace('\\', '/'),
            ["bytes"] = file.Length,
            ["sha256"] = Convert.ToHexStringLower(SHA256.HashData(file)),
        };
    }
}

/// <summary>Where a part was when it last saved.</summary>
/// <param name="Index">Documents done.</param>
/// <param name="Position">Where the reader goes on.</param>
/// <param name="Kept">Checkpoint of the writer of kept documents; null at the start.</param>
/// <param name="Dropped">Checkpoint of the writer of dropped ones.</param>
/// <param name="Statistics">What was counted.</param>
/// <param name="Report">What the reader skipped.</param>
internal sealed record PartState(
    long Index, long Position, string? Kept, string? Dropped, CurationStatistics Statistics, ReadReport Report)
{
    /// <summary>The start.</summary>
    public PartState()
        : this(0, 0, null, null, new(), new())
    {
    }

    /// <summary>Reads a saved state; the start if there is none or it is damaged.</summary>
    public static PartState Load(string path)
    {
        try
        {
            if (!File.Exists(path))
                return new();
            var json = JsonNode.Parse(File.ReadAllBytes(path))!;
            return new(
                (long)json["index"]!, (long)json["position"]!, (string?)json["kept"], (string?)json["dropped"],
                CurationStatistics.FromJson(json["statistics"]!.ToJsonString()), ReadReport.FromJson(json["report"]!.AsObject()));
        }
        catch (Exception e)
            when (e is JsonException or InvalidOperationException or InvalidDataException or NullReferenceException)
        {
            return new();
        }
    }

    public void Save(string path) => AtomicFile.WriteText(path, new JsonObject
    {
        ["index"] = Index,
        ["position"] = Position,
        ["kept"] = Kept,
        ["dropped"] = Dropped,
        ["statistics"] = Statistics.ToNode(),
        ["report"] = Report.ToJson(),
    }.ToJsonString());
}

using System.ComponentModel.DataAnnotations;
using Finery.Data.Filters;
using Finery.Data.Readers;
using Finery.Data.Writers;

namespace Finery.Data.Curation;

/// <summary>
/// From input files to curated documents through a list of stages, read top to bottom. What comes out depends on the input and
/// these settings alone: never on workers, ranks, or how often the work was interrupted.
/// </summary>
public sealed record CurationSettings
{
    /// <summary>Where documents come from.</summary>
    public required FileReader Input { get; init; }

    /// <summary>Stages in order.</summary>
    public required IReadOnlyList<CurationStage> Stages { get; init; }

    /// <summary>How the curated documents are written.</summary>
    public OutputSettings Output { get; init; } = new();

    /// <summary>Whether dropped documents are written too, each with its <c>filter_reason</c>.</summary>
    public bool KeepDropped { get; init; } = true;

    /// <summary>Tokenizer file or folder that counts the funnel's tokens; null to count none.</summary>
    public string? Tokenizer { get; init; }

    /// <summary>Input bytes of a part, the unit of work and of parallelism; files that cannot be cut are a part each.</summary>
    public long PartBytes { get; init; } = 64L << 20;

    /// <summary>Documents read of each part at most; 0 for all.</summary>
    public long Limit { get; init; }

    /// <summary>Characters of text between two checkpoints inside a part.</summary>
    public long CheckpointCharacters { get; init; } = 32L << 20;
}

/// <summary>How a curation is executed; none of it changes what comes out.</summary>
public sealed record CurationOptions
{
    /// <summary>Parts or tasks at once in this process.</summary>
    [Range(1, 1024)]
    public int Workers { get; init; } = Environment.ProcessorCount;

    /// <summary>Number of this process among <see cref="World"/>.</summary>
    public int Rank { get; init; }

    /// <summary>Processes that share the work, over a common folder.</summary>
    public int World { get; init; } = 1;

    /// <summary>Whether to wait for other ranks instead of returning unfinished.</summary>
    public bool Wait { get; init; }

    /// <summary>Memory for stages that look across documents, of this process.</summary>
    public long MemoryBytes { get; init; } = 2L << 30;

    /// <summary>Signalled to stop; the same call continues.</summary>
    public CancellationToken Stop { get; init; }

    /// <summary>Called once the folder is known to be this curation's, before anything else is written; null to do
    /// without.</summary>
    public Action? Started { get; init; }

    /// <summary>Is told lines for the log; null to do without.</summary>
    public Action<string>? Log { get; init; }

    /// <summary>Is told progress: tasks done, tasks in all, figures. Called from several threads; null to do without.</summary>
    public Action<double, double, string>? Progress { get; init; }
}

/// <summary>How a curation ended.</summary>
/// <param name="Finished">Whether all is done; otherwise other ranks still have work.</param>
/// <param name="Message">What is missing, if not finished.</param>
/// <param name="Statistics">Merged over all parts, if finished.</param>
public sealed record CurationResult(bool Finished, string Message, CurationStatistics? Statistics);

/// <summary>Stages up to the next one that looks across documents, run over one part after another.</summary>
/// <param name="Index">From 0.</param>
/// <param name="Head">What looks across documents and is applied first; null in the first segment.</param>
/// <param name="Filters">Then, document by document.</param>
/// <param name="FirstStage">Position of the first of its stages in the list of all.</param>
internal sealed record Segment(int Index, CorpusStage? Head, IReadOnlyList<DocumentFilter> Filters, int FirstStage)
{
    /// <summary>Cuts a list of stages.</summary>
    public static IReadOnlyList<Segment> Of(IReadOnlyList<CurationStage> stages)
    {
        var segments = new List<Segment>();
        CorpusStage? head = null;
        var filters = new List<DocumentFilter>();
        var first = 0;
        for (var i = 0; i <= stages.Count; i++)
        {
            if (i < stages.Count && stages[i] is DocumentFilter filter)
            {
                filters.Add(filter);
                continue;
            }
            segments.Add(new(segments.Count, head, filters, first));
            if (i == stages.Count)
                break;
            head = stages[i] as CorpusStage
                ?? throw new ArgumentException($"{stages[i].GetType().Name} is neither a filter nor a corpus stage.",
                    nameof(stages));
            filters = [];
            first = i;
        }
        return segments;
    }

    /// <summary>Recipe names of its stages, in order.</summary>
    public IEnumerable<string> StageNames =>
        (Head is null ? [] : new CurationStage[] { Head }).Concat(Filters).Select(StageCatalogue.NameOf);
}

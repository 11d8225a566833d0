using System.ComponentModel;
using Finery.Data;
using Finery.Data.Deduplication;

namespace Finery.Workflow.Steps;

/// <summary>Removes exact and near duplicates.</summary>
[Description("Remove exact and near duplicates")]
public sealed record DeduplicateStep : Step
{
    /// <summary>What to deduplicate.</summary>
    [Input(ArtifactKind.Documents), Description("documents to deduplicate")]
    public required Artifact Documents { get; init; }

    /// <summary>Near-duplicate settings (MinHash); exact duplicates are always removed.</summary>
    [Description("near-duplicate settings")]
    public MinHashDeduplication MinHash { get; init; } = new();

    /// <summary>Whether to remove near duplicates too.</summary>
    [Description("remove near duplicates too")]
    public bool Near { get; init; } = true;

    /// <inheritdoc/>
    public override IReadOnlyList<StepOutput> Outputs =>
        [new("kept", ArtifactKind.Documents), new("dropped", ArtifactKind.Documents)];

    /// <inheritdoc/>
    public override void Run(StepContext context)
    {
        var funnel = new Funnel();
        funnel.Write(Judge(context), context.Output("kept"), context.Output("dropped"), context);
        funnel.Record(context);
    }

    private IEnumerable<(Document Document, string? Reason)> Judge(StepContext context)
    {
        var exact = new ExactDeduplication().Run(DocumentFolder.Read(Documents), context.Threads);
        if (!Near)
        {
            foreach (var judged in exact) yield return judged;
            yield break;
        }

        // Near-duplicate detection reads its input twice: what exact deduplication keeps goes to disk first.
        var distinct = new Artifact(ArtifactKind.Documents, Path.Combine(context.StateFolder, "distinct"));
        using (var writer = DocumentFolder.Create(distinct.Path))
        {
            foreach (var (document, reason) in exact)
            {
                if (reason is null) writer.Write(document);
                else yield return (document, reason);
            }
            writer.Commit();
        }
        foreach (var judged in MinHash.Run(DocumentFolder.Read(distinct), context.Threads)) yield return judged;
    }
}

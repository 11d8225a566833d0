using System.ComponentModel;
using Finery.Data.Filters;

namespace Finery.Workflow.Steps;

/// <summary>Keeps or drops documents by rules, each judged on its own.</summary>
[Description("Keep or drop documents by rules")]
public sealed record FilterStep : Step
{
    /// <summary>What to judge.</summary>
    [Input(ArtifactKind.Documents), Description("documents to judge")]
    public required Artifact Documents { get; init; }

    /// <summary>Rules in order; the first that rejects a document names the reason.</summary>
    [Description("rules, in order")]
    public required IReadOnlyList<DocumentFilter> Filters { get; init; }

    /// <inheritdoc/>
    public override IReadOnlyList<StepOutput> Outputs =>
        [new("kept", ArtifactKind.Documents), new("dropped", ArtifactKind.Documents)];

    /// <inheritdoc/>
    public override void Run(StepContext context)
    {
        var funnel = new Funnel();
        var judged = new FilterPipeline(Filters).Run(DocumentFolder.Read(Documents), context.Threads);
        funnel.Write(judged, context.Output("kept"), context.Output("dropped"), context);
        funnel.Record(context);
        DocumentFolder.RequireSome(funnel.KeptDocuments, "Filtering");
    }
}

using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Text.Json.Nodes;
using Finery.Data.Deduplication;

namespace Finery.Workflow.Steps;

/// <summary>Holds out documents for evaluation and removes from the training set whatever nearly equals one of them.</summary>
[Description("Hold out documents for evaluation, and remove from training what nearly equals them")]
public sealed record SplitStep : Step
{
    /// <summary>What to split.</summary>
    [Input(ArtifactKind.Documents), Description("documents to split")]
    public required Artifact Documents { get; init; }

    /// <summary>Share of names held out.</summary>
    [Description("share of names held out"), Range(0.0001, 0.5)]
    public double Fraction { get; init; } = 0.01;

    /// <summary>Metadata key whose equal values stay together; the document id where a document lacks it.</summary>
    [Description("metadata key whose equal values stay together")]
    public string Key { get; init; } = "name";

    /// <summary>What nearly equal means.</summary>
    [Description("what nearly equal means")]
    public MinHashDeduplication MinHash { get; init; } = new();

    /// <inheritdoc/>
    public override IReadOnlyList<StepOutput> Outputs =>
    [
        new("train", ArtifactKind.Documents), new("heldout", ArtifactKind.Documents), new("dropped", ArtifactKind.Documents),
    ];

    /// <inheritdoc/>
    public override void Run(StepContext context)
    {
        var split = new HeldOutSplit { Fraction = Fraction, Key = Key, Seed = context.Seed };
        var index = new NearDuplicateIndex(MinHash);
        using (var heldout = DocumentFolder.Create(context.Output("heldout")))
        {
            foreach (var document in DocumentFolder.Read(Documents).Where(split.IsHeldOut))
            {
                context.Stop.ThrowIfCancellationRequested();
                index.Add(document);
                heldout.Write(document);
            }
            heldout.Commit();
        }

        var funnel = new Funnel();
        var training = DocumentFolder.Read(Documents).Where(document => !split.IsHeldOut(document));
        funnel.Write(index.Run(training, context.Threads), context.Output("train"), context.Output("dropped"), context);
        funnel.Record(context);
        context.Summary["heldout"] = new JsonObject { ["documents"] = index.Count };
        context.Log($"{index.Count:N0} documents held out");
        DocumentFolder.RequireSome(index.Count, "Holding out (raise 'fraction')");
        DocumentFolder.RequireSome(funnel.KeptDocuments, "Splitting");
    }
}

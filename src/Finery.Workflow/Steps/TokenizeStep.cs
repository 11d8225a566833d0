using System.ComponentModel;
using Finery.Data.Batches;
using Finery.Data.Tokenizers;

namespace Finery.Workflow.Steps;

/// <summary>Writes documents as token shards, shuffled.</summary>
[Description("Write documents as token shards")]
public sealed record TokenizeStep : Step
{
    /// <summary>What to tokenise.</summary>
    [Input(ArtifactKind.Documents), Description("documents to tokenise")]
    public required Artifact Documents { get; init; }

    /// <summary>By which tokenizer.</summary>
    [Input(ArtifactKind.Tokenizer), Description("tokenizer folder")]
    public required Artifact Tokenizer { get; init; }

    /// <summary>Whether documents are shuffled, by the recipe's seed.</summary>
    [Description("shuffle the documents")]
    public bool Shuffle { get; init; } = true;

    /// <inheritdoc/>
    public override IReadOnlyList<StepOutput> Outputs => [new("tokens", ArtifactKind.Tokens)];

    /// <inheritdoc/>
    public override void Run(StepContext context)
    {
        var tokenizer = TokenizerFile.Load(Tokenizer.Path);
        var texts = DocumentFolder.Read(Documents).Select(document => document.Text);
        var writer = new TokenShardWriter { Shuffle = Shuffle, Seed = context.Seed, Threads = context.Threads };
        var manifest = writer.Write(context.Output("tokens"), texts, tokenizer, cancellation: context.Stop);
        context.Summary["documents"] = manifest.DocumentCount;
        context.Summary["tokens"] = manifest.TokenCount;
        context.Summary["text_bytes"] = manifest.TextBytes;
        context.Log($"{manifest.TokenCount:N0} tokens in {manifest.DocumentCount:N0} documents, "
            + $"{(double)manifest.TextBytes / manifest.TokenCount:F2} bytes per token");
    }
}

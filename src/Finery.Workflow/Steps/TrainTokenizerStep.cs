using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Finery.Data.Tokenizers;

namespace Finery.Workflow.Steps;

/// <summary>Trains a byte-level BPE tokenizer on documents.</summary>
[Description("Train a byte-level BPE tokenizer")]
public sealed record TrainTokenizerStep : Step
{
    /// <summary>Text to learn from.</summary>
    [Input(ArtifactKind.Documents), Description("documents to learn from")]
    public required Artifact Documents { get; init; }

    /// <summary>Tokens in all: control tokens, 256 bytes, merges.</summary>
    [Description("tokens in all, control tokens and bytes included"), Range(512, 1_048_576)]
    public int VocabSize { get; init; } = 32_768;

    /// <summary>A pair seen less often is not merged.</summary>
    [Description("a pair seen less often than this is not merged"), Range(1, long.MaxValue)]
    public long MinFrequency { get; init; } = 2;

    /// <summary>How text is cut before merging.</summary>
    [Description("how text is cut before merging")]
    public SplitPattern Pattern { get; init; } = SplitPattern.Llama3;

    /// <inheritdoc/>
    public override IReadOnlyList<StepOutput> Outputs => [new("tokenizer", ArtifactKind.Tokenizer)];

    /// <inheritdoc/>
    public override void Run(StepContext context)
    {
        var trainer = new BpeTrainer { VocabSize = VocabSize, MinFrequency = MinFrequency, Pattern = Pattern, Threads = context.Threads };
        long characters = 0;
        var texts = DocumentFolder.Read(Documents).Select(document =>
        {
            context.Stop.ThrowIfCancellationRequested();
            characters += document.Text.Length;
            return document.Text;
        });
        var tokenizer = trainer.Train(texts, new BpeReport(context));
        TokenizerFile.Save(tokenizer, context.Output("tokenizer"));
        double bytesPerToken = BytesPerToken(tokenizer);
        context.Summary["vocab_size"] = tokenizer.VocabSize;
        context.Summary["bytes_per_token"] = bytesPerToken;
        context.Log($"{tokenizer.VocabSize:N0} tokens from {characters / 1e6:F1} M characters; {bytesPerToken:F2} bytes per token");
        if (tokenizer.VocabSize < VocabSize)
            context.Warn($"the text has only {tokenizer.VocabSize:N0} useful tokens; {VocabSize:N0} were asked for");
    }

    /// <summary>Over a sample of the documents.</summary>
    private double BytesPerToken(Tokenizer tokenizer)
    {
        long bytes = 0, tokens = 0;
        foreach (var document in DocumentFolder.Read(Documents).Take(2000))
        {
            int[] ids = tokenizer.Encode(document.Text);
            tokens += ids.Length;
            foreach (int id in ids) bytes += tokenizer.ByteLength(id);
        }
        return tokens == 0 ? 0 : (double)bytes / tokens;
    }

    private sealed class BpeReport(StepContext context) : IProgress<BpeProgress>
    {
        public void Report(BpeProgress value) => context.Progress(value.Tokens, value.TargetTokens,
            $"{value.Tokens:N0} tokens, {value.DistinctChunks:N0} distinct words");
    }
}

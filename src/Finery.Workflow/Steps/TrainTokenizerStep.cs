using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Diagnostics;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Finery.Data.Readers;
using Finery.Data.Tokenizers;
using Finery.Data.Writers;

namespace Finery.Workflow.Steps;

/// <summary>Trains a byte-level BPE tokenizer on documents, and reports how well it fits a sample of them.</summary>
[Description("Train a byte-level BPE tokenizer")]
public sealed record TrainTokenizerStep : Step
{
    /// <summary>Name of the report in the step's folder.</summary>
    public const string ReportFile = "tokenizer-report.json";

    private static readonly JsonSerializerOptions Indented =
        new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Text to learn from.</summary>
    [Input(ArtifactKind.Documents)]
    [Description("documents to learn from; by path also .jsonl, .jsonl.gz and text files, or folders of them")]
    public required IReadOnlyList<Artifact> Documents { get; init; }

    /// <summary>Tokens in all: control tokens, 256 bytes, merges.</summary>
    [Description("tokens in all, control tokens and bytes included"), Range(512, 1_048_576)]
    public int VocabSize { get; init; } = 32_768;

    /// <summary>A pair seen less often is not merged.</summary>
    [Description("a pair seen less often than this is not merged"), Range(1, long.MaxValue)]
    public long MinFrequency { get; init; } = 2;

    /// <summary>How text is cut before merging.</summary>
    [Description("how text is cut before merging")]
    public SplitPattern Pattern { get; init; } = SplitPattern.Llama3;

    /// <summary>Longest token, in bytes.</summary>
    [Description("most bytes of a token, 0 for any number"), Range(0, 1 << 20)]
    public int MaxTokenBytes { get; init; }

    /// <summary>Control tokens.</summary>
    [Description("control tokens; chatting needs the five of Finery")]
    public IReadOnlyList<string> SpecialTokens { get; init; } = ControlTokens.All;

    /// <summary>Order of ids.</summary>
    [Description("ids: special_first as Hugging Face, bytes_first as tiktoken")]
    public TokenIdOrder IdOrder { get; init; }

    /// <summary>Most characters used of a document.</summary>
    [Description("characters used of each document, 0 for all"), Range(0, int.MaxValue)]
    public int MaxDocumentChars { get; init; }

    /// <summary>Most characters used in all.</summary>
    [Description("characters used in all, 0 for all"), Range(0, long.MaxValue)]
    public long MaxCorpusChars { get; init; }

    /// <summary>Memory for distinct chunks.</summary>
    [Description("MiB for the distinct pieces of text; above it the rarest are left out"), Range(16, 1 << 20)]
    public int MaxMemory { get; init; } = 8192;

    /// <summary>Another tokenizer for the report.</summary>
    [Input(ArtifactKind.Tokenizer), Description("another tokenizer, which the report sets beside this one")]
    public Artifact? Reference { get; init; }

    /// <inheritdoc/>
    public override IReadOnlyList<StepOutput> Outputs => [new("tokenizer", ArtifactKind.Tokenizer)];

    /// <inheritdoc/>
    public override IEnumerable<(string Property, string Message)> Validate()
    {
        if (Documents.Count == 0) yield return (nameof(Documents), "at least one source of documents is needed.");
        if (MaxTokenBytes == 1) yield return (nameof(MaxTokenBytes), "must be 0 or at least 2: a single byte needs no merge.");
        if (VocabSize < 256 + SpecialTokens.Count)
            yield return (nameof(VocabSize), $"must hold 256 bytes and {SpecialTokens.Count} special tokens.");
    }

    /// <inheritdoc/>
    public override void Run(StepContext context)
    {
        var reference = Reference is null ? null : TokenizerFile.Load(Reference.Path); // before the long work
        var trainer = new BpeTrainer
        {
            VocabSize = VocabSize,
            MinFrequency = MinFrequency,
            Pattern = Pattern,
            MaxTokenLength = MaxTokenBytes == 0 ? int.MaxValue : MaxTokenBytes + 1, // HF's limit is exclusive
            SpecialTokens = SpecialTokens,
            IdOrder = IdOrder,
            MaxDocumentChars = MaxDocumentChars == 0 ? int.MaxValue : MaxDocumentChars,
            MaxCorpusChars = MaxCorpusChars == 0 ? long.MaxValue : MaxCorpusChars,
            MaxMemory = (long)MaxMemory << 20,
            Threads = context.Threads,
        };
        var sample = new TokenizerSample();
        var read = new ReadReport();
        var texts = Documents.SelectMany(documents => DocumentFolder.Read(documents, read)).Select(document =>
        {
            sample.Add(document);
            return document.Text;
        });
        var training = trainer.Run(texts, new Progress(context), context.Stop);
        var tokenizer = training.Tokenizer;
        TokenizerFile.Save(tokenizer, context.Output("tokenizer"));
        Report(context, training, TokenizerReport.Measure(sample.Texts, reference is null ? [tokenizer] : [tokenizer, reference]));
        foreach (var (reason, items) in read.Skipped)
            context.Warn($"{items.Count:N0} items skipped for {reason}, first {items.FirstExample}");
    }

    private void Report(StepContext context, BpeTraining training, TokenizerReport report)
    {
        string[] names = Reference is null ? ["tokenizer"] : ["tokenizer", "reference"];
        var json = new JsonObject
        {
            ["training"] = new JsonObject
            {
                ["texts"] = training.Texts,
                ["bytes"] = training.Bytes,
                ["chunks"] = training.Chunks,
                ["distinct_chunks"] = training.DistinctChunks,
                ["dropped_chunks"] = training.DroppedChunks,
                ["dropped_occurrences"] = training.DroppedOccurrences,
            },
            ["sample"] = report.ToJson(names),
        };
        AtomicFile.WriteText(Path.Combine(context.Folder, ReportFile), json.ToJsonString(Indented) + "\n");

        var figures = report.Tokenizers[0];
        double bytesPerToken = report.Total.BytesPerToken(0);
        context.Summary["vocab_size"] = figures.VocabSize;
        context.Summary["bytes_per_token"] = bytesPerToken;
        context.Summary["tokens_per_word"] = report.Total.TokensPerWord(0);
        context.Summary["distinct_chunks"] = training.DistinctChunks;
        context.Summary["unused_tokens"] = figures.Unused;
        if (Reference is not null) context.Summary["reference_bytes_per_token"] = report.Total.BytesPerToken(1);
        if (training.DroppedChunks > 0) context.Summary["dropped_chunks"] = training.DroppedChunks;
        context.Log(
            $"{figures.VocabSize:N0} tokens from {training.Bytes / 1e6:F1} MB of text ({training.DistinctChunks:N0} distinct chunks): "
            + $"read and counted in {training.Counting.TotalSeconds:F1} s, merged in {training.Merging.TotalSeconds:F1} s");
        context.Log($"{bytesPerToken:F2} bytes per token on a sample of {report.Total.Texts:N0} documents"
            + (Reference is null ? "" : $", the reference {report.Total.BytesPerToken(1):F2}")
            + $"; {figures.Unused:N0} of {figures.Learned:N0} learned tokens unused there; details in {ReportFile}");
        if (figures.VocabSize < VocabSize)
            context.Warn($"the text has only {figures.VocabSize:N0} useful tokens; {VocabSize:N0} were asked for");
        if (training.DroppedChunks > 0)
            context.Warn($"{training.DroppedChunks:N0} rare chunks ({training.DroppedOccurrences:N0} occurrences of "
                + $"{training.Chunks:N0}) were left out to stay within max_memory, {MaxMemory:N0} MiB");
        foreach (var token in figures.Special.Where(token => token.Figure > 0))
            context.Warn(
                $"the sample has the text of control token {token.Text} {token.Figure:N0} times; as text it is no control token");
    }

    /// <summary>Bytes and their rate while counting, whose end is not known; then tokens of those wanted.</summary>
    private sealed class Progress(StepContext context) : IProgress<BpeProgress>
    {
        private readonly long _start = Stopwatch.GetTimestamp();

        public void Report(BpeProgress value)
        {
            double megabytes = value.Bytes / 1e6;
            if (value.Tokens == 0)
                context.Progress(0, 0, $"{megabytes:N0} MB counted, {megabytes / Stopwatch.GetElapsedTime(_start).TotalSeconds:N0} MB/s");
            else
                context.Progress(value.Tokens, value.TargetTokens, $"{value.Tokens:N0} tokens, {value.DistinctChunks:N0} distinct chunks");
        }
    }
}

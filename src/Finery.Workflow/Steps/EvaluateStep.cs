using System.ComponentModel;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Finery.Data.Batches;
using Finery.Data.Tokenizers;
using Finery.Data.Writers;
using Finery.Evaluation;
using Finery.Evaluation.Baselines;
using Finery.Evaluation.Metrics;
using Finery.Evaluation.Tasks;
using Finery.Models.Llama;
using Finery.Tensors;

namespace Finery.Workflow.Steps;

/// <summary>Evaluates models on held-out documents and questions, beside n-gram models of the same tokens and compression.</summary>
[Description("Evaluate models on held-out documents and questions, beside n-gram and compression baselines")]
public sealed record EvaluateStep : Step
{
    // Brotli's largest standard window is 16 MiB; a longer prefix would only cost time.
    private const int MaxPrefixBytes = 16 << 20;

    /// <summary>Models to compare; all have the same tokenizer.</summary>
    [Input(ArtifactKind.Model), Description("models to compare")]
    public required IReadOnlyList<Artifact> Models { get; init; }

    /// <summary>Documents for bits per byte.</summary>
    [Input(ArtifactKind.Documents), Description("held-out documents for bits per byte")]
    public required Artifact Heldout { get; init; }

    /// <summary>Multiple-choice questions.</summary>
    [Input(ArtifactKind.Questions), Description("multiple-choice questions")]
    public Artifact? Questions { get; init; }

    /// <summary>Training documents, for the baselines.</summary>
    [Input(ArtifactKind.Documents), Description("training documents, for n-gram and compression baselines")]
    public Artifact? Train { get; init; }

    /// <summary>Questions each model answers in words, for the report.</summary>
    [Description("questions each model answers in words")]
    public int Samples { get; init; } = 6;

    /// <inheritdoc/>
    public override IReadOnlyList<StepOutput> Outputs => [new("evaluation.json", ArtifactKind.Evaluation)];

    /// <inheritdoc/>
    public override IEnumerable<(string Property, string Message)> Validate() =>
        Models.Count == 0 ? [(nameof(Models), "at least one model is needed.")] : [];

    /// <inheritdoc/>
    public override void Run(StepContext context)
    {
        var tokenizer = TokenizerFile.Load(Models[0].Path);
        int bos = tokenizer.BosId ?? throw new RecipeException($"The tokenizer in {Models[0].Path} has no bos_token.");
        var (documents, heldoutText) = LoadHeldout(tokenizer);
        var questions = Questions is null ? [] : Question.Load(Questions.Path);
        var rows = new JsonArray();
        var task = new BitsPerByte(documents, bos);
        var asText = questions.Count == 0 ? null : new MultipleChoice([.. questions.Select(q => q.AsContinuation(tokenizer, bos))], [bos]);
        var samples = new SampleTable(questions, Samples);

        using (var kernels = new CpuKernels(context.Threads))
        {
            foreach (var (artifact, index) in Models.Select((artifact, index) => (artifact, index)))
            {
                context.Stop.ThrowIfCancellationRequested();
                string name = artifact.Producer ?? Path.GetFileName(artifact.Path);
                context.Progress(index, Models.Count, name);
                if (TokenizerFile.Load(artifact.Path).Fingerprint != tokenizer.Fingerprint)
                    throw new RecipeException($"{artifact.Path} has another tokenizer than {Models[0].Path}: their figures cannot be compared.");
                using var model = LlamaModel.Load(artifact.Path, trainable: false);
                using var scored = new NetworkTokenModel(name, model, kernels);
                bool chats = ModelFolder.Chats(artifact.Path);
                var choices = questions.Count == 0 || !chats ? asText
                    : new MultipleChoice([.. questions.Select(q => q.AsReply(tokenizer))], [bos]);
                rows.Add(Row(name, task.Score(scored), choices?.Score(scored), context));
                samples.Add(name, model, kernels, tokenizer, chats, context.Stop);
            }
        }
        if (Train is not null) AddBaselines(rows, task, asText, tokenizer, bos, heldoutText, context);
        if (questions.Count > 0)
            rows.Add(new JsonObject { ["name"] = "chance", ["accuracy"] = new JsonObject { ["value"] = questions.Average(q => 1.0 / q.Choices.Count) } });

        var summary = context.Summary;
        summary["rows"] = rows;
        summary["samples"] = samples.ToJson();
        summary["note"] = string.Create(CultureInfo.InvariantCulture,
            $"{documents.Count:N0} held-out documents ({heldoutText.Length / 1e3:F0} kB), {questions.Count:N0} questions with one right and three other held-out summaries; ± is one standard error. A base model sees the documents' own heading, a chat model the question in its chat template. 'Right summary' takes the choice with the highest log-likelihood, 'per character' divides it by the choice's length, 'mutual information' subtracts the log-likelihood the choice has without the question. Chance and n-gram rows answer the same questions; brotli is an xz-class compressor (quality 11, 16 MiB window).");
        AtomicFile.WriteText(context.Output("evaluation.json"), summary.ToJsonString(new JsonSerializerOptions { WriteIndented = true }));
    }

    private (List<HeldOutDocument> Documents, byte[] Text) LoadHeldout(Tokenizer tokenizer)
    {
        var documents = new List<HeldOutDocument>();
        using var text = new MemoryStream();
        foreach (var document in DocumentFolder.Read(Heldout))
        {
            byte[] bytes = Encoding.UTF8.GetBytes(document.Text);
            documents.Add(new(tokenizer.Encode(document.Text), bytes.Length));
            text.Write(bytes);
            text.WriteByte((byte)'\n');
        }
        DocumentFolder.RequireSome(documents.Count, "The held-out set");
        return (documents, text.ToArray());
    }

    private void AddBaselines(
        JsonArray rows, BitsPerByte task, MultipleChoice? questions, Tokenizer tokenizer, int bos, byte[] heldoutText, StepContext context)
    {
        var sequences = new List<ReadOnlyMemory<int>>();
        using var prefix = new MemoryStream();
        foreach (var document in DocumentFolder.Read(Train!))
        {
            context.Stop.ThrowIfCancellationRequested();
            sequences.Add((int[])[bos, .. tokenizer.Encode(document.Text)]);
            if (prefix.Length < MaxPrefixBytes) prefix.Write(Encoding.UTF8.GetBytes(document.Text + "\n"));
        }
        foreach (int order in new[] { 5, 1 })
        {
            context.Progress(0, 0, $"{order}-gram baseline");
            var ngram = NGramModel.Train(sequences, order, tokenizer.VocabSize);
            rows.Add(Row(ngram.Name, task.Score(ngram), questions?.Score(ngram), context));
        }
        context.Progress(0, 0, "compression baseline");
        rows.Add(CompressionRow(prefix.ToArray(), heldoutText));
    }

    private static JsonObject CompressionRow(byte[] prefix, byte[] heldout) => throw new NotSupportedException();

    private static JsonObject Row(string name, BitsPerByteResult bits, MultipleChoiceResult? choices, StepContext context)
    {
        var row = new JsonObject { ["name"] = name, ["bits_per_byte"] = Json(bits.BitsPerByte), ["nats_per_token"] = bits.NatsPerToken };
        string line = string.Create(CultureInfo.InvariantCulture, $"{name}: {bits.BitsPerByte.Value:F4} bits per byte");
        if (choices is not null)
        {
            row["accuracy"] = Json(choices.Accuracy);
            row["accuracy_norm"] = Json(choices.AccuracyPerCharacter);
            row["accuracy_bytes"] = Json(choices.AccuracyPerByte);
            row["accuracy_mutual"] = Json(choices.AccuracyMutualInformation);
            line += string.Create(CultureInfo.InvariantCulture,
                $", right summary {100 * choices.Accuracy.Value:F1}% ± {100 * choices.Accuracy.StandardError:F1} (per character {100 * choices.AccuracyPerCharacter.Value:F1}%, mutual information {100 * choices.AccuracyMutualInformation.Value:F1}%)");
        }
        context.Log(line);
        return row;
    }

    private static JsonObject Json(Estimate estimate)
    {
        var json = new JsonObject { ["value"] = estimate.Value };
        if (double.IsFinite(estimate.StandardError)) json["error"] = estimate.StandardError;
        return json;
    }
}

using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
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

    /// <summary>Training text the compressor sees before the held-out text.</summary>
    [Description("MB of training text the compressor sees first; about 2 s each"), Range(0, 16)]
    public int CompressionMegabytes { get; init; } = 4;

    /// <summary>Questions each model answers in words, for the report.</summary>
    [Description("questions each model answers in words"), Range(0, 1000)]
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
        var texts = DocumentFolder.Read(Heldout).Select(document => document.Text).ToList();
        DocumentFolder.RequireSome(texts.Count, "The held-out set");
        var documents = texts.Select(text => new HeldOutDocument(tokenizer.Encode(text), Encoding.UTF8.GetByteCount(text))).ToList();
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
                string name = artifact.Producer ?? artifact.Path;
                context.Progress(index, Models.Count, name);
                var own = TokenizerFile.Load(artifact.Path);
                if (own.Fingerprint != tokenizer.Fingerprint)
                    throw new RecipeException($"{artifact.Path} has another tokenizer than {Models[0].Path}: their figures cannot be compared.");
                using var model = LlamaModel.Load(artifact.Path, trainable: false);
                using var scored = new NeuralModel(model, kernels, name: name);
                // Only a finetuned model carries a chat template.
                var template = own.Config.ChatTemplate is null ? null : ModelFolder.Template(own);
                var choices = questions.Count == 0 || template is null ? asText
                    : new MultipleChoice([.. questions.Select(q => q.AsReply(template))], [bos]);
                rows.Add(Row(name, task.Score(scored), choices?.Score(scored), context));
                samples.Add(name, model, kernels, tokenizer, template, context.Stop);
            }
        }
        if (Train is not null) AddBaselines(rows, task, asText, tokenizer, bos, texts, context);
        if (questions.Count > 0)
            rows.Add(new JsonObject { ["name"] = "chance", ["accuracy"] = new JsonObject { ["value"] = questions.Average(q => 1.0 / q.Choices.Count) } });

        var summary = context.Summary;
        summary["rows"] = rows;
        summary["samples"] = samples.ToJson();
        // For one-line summaries: how well the first model predicts text, and how well the last one answers.
        summary["bits_per_byte"] = (double)rows[0]!["bits_per_byte"]!["value"]!;
        if (rows[Models.Count - 1]!["accuracy_mutual"] is { } mutual) summary["right_summary_percent"] = 100 * (double)mutual["value"]!;
        summary["note"] = string.Create(CultureInfo.InvariantCulture,
            $"{documents.Count:N0} held-out documents ({documents.Sum(document => document.Bytes) / 1e3:F0} kB), {questions.Count:N0} questions with one right and three other held-out summaries; ± is one standard error. A base model sees the documents' own heading, a chat model the question in its chat template. 'Right summary' takes the choice with the highest log-likelihood, 'per character' divides it by the choice's length, 'mutual information' subtracts the log-likelihood the choice has without the question. Chance and n-gram rows answer the same questions; brotli is an xz-class compressor (quality 11, 16 MiB window).");
        AtomicFile.WriteText(context.Output("evaluation.json"), summary.ToJsonString(new JsonSerializerOptions { WriteIndented = true }));
    }

    private void AddBaselines(
        JsonArray rows, BitsPerByte task, MultipleChoice? questions, Tokenizer tokenizer, int bos, List<string> heldout, StepContext context)
    {
        var sequences = DocumentFolder.Read(Train!).Select(document =>
        {
            context.Stop.ThrowIfCancellationRequested();
            return new ReadOnlyMemory<int>([bos, .. tokenizer.Encode(document.Text)]);
        }).ToList();
        foreach (int order in new[] { 5, 1 })
        {
            context.Progress(0, 0, $"{order}-gram baseline");
            var ngram = NGramModel.Train(sequences, order, tokenizer.VocabSize);
            rows.Add(Row(ngram.Name, task.Score(ngram), questions?.Score(ngram), context));
        }
        context.Progress(0, 0, "compression baseline");
        var training = DocumentFolder.Read(Train!).OrderBy(document => StableHash.Of(document.Id)).Select(document => document.Text);
        var compression = CompressionBaseline.Measure(training, heldout, CompressionMegabytes << 20);
        rows.Add(new JsonObject { ["name"] = "brotli, held-out text alone", ["bits_per_byte"] = new JsonObject { ["value"] = compression.Alone } });
        rows.Add(new JsonObject
        {
            ["name"] = $"brotli after {compression.TrainingBytes / 1e6:F1} MB of training text",
            ["bits_per_byte"] = new JsonObject { ["value"] = compression.AfterTraining },
        });
    }

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
            row["answer_nats"] = Json(choices.AnswerNats);
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

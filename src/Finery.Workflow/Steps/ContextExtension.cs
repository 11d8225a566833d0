using System.Globalization;
using System.Text.Json;
using Finery.Data.Batches;
using Finery.Data.Batches.Mixing;
using Finery.Data.Tokenizers;
using Finery.Evaluation;
using Finery.Evaluation.Tasks;
using Finery.Models.Llama;
using Finery.Tensors;
using Finery.Training;
using Finery.Training.Losses;
using Finery.Training.Optimizers;
using Finery.Training.Schedules;
using Finery.Workflow.Runs;

namespace Finery.Workflow.Steps;

/// <summary>What a gate saw after a round.</summary>
/// <param name="SequenceLength">Context reached.</param>
/// <param name="Round">Of this increment, from 1.</param>
/// <param name="Steps">Steps trained so far, over all rounds.</param>
/// <param name="ShortLoss">Loss at the first context.</param>
/// <param name="ShortLossBefore">The same before the first increment.</param>
/// <param name="NeedleShare">Share of needles found up to this length.</param>
/// <param name="Passed">Whether both are good enough.</param>
public sealed record GateResult(
    int SequenceLength, int Round, long Steps, double ShortLoss, double ShortLossBefore, double NeedleShare, bool Passed);

/// <summary>What <see cref="ExtendContextStep"/> does. A finished round leaves its model and what its gate saw; an interrupted one
/// continues from its checkpoint.</summary>
internal sealed class ContextExtension(ExtendContextStep step, StepContext context)
{
    private const string GatesFile = "gates.json";

    // Running text in which needles are hidden; longer contexts begin it anew.
    private const int HaystackTokens = 1 << 16;

    public void Run()
    {
        var tokenizer = TokenizerFile.Load(step.Model.Path);
        var gates = LoadGates();
        string folder = gates.Count == 0 ? step.Model.Path : RoundFolder(gates.Count - 1);
        using var kernels = new CpuKernels(context.Threads);
        using var model = LlamaModel.Load(folder, trainable: true);
        using var heldOut = TokenShards.Open(step.Validation.Path, tokenizer.Fingerprint);
        int shortLength = Models.ModelConfig.Load(step.Model.Path).SequenceLength;
        if (step.Stages[0].SequenceLength <= shortLength)
            throw new RecipeException($"the model reads {shortLength} tokens already; the first increment has {step.Stages[0].SequenceLength}.");
        var validation = new ValidationLoss(heldOut, step.ValidationTokens);
        double before = gates.Count == 0 ? validation.Of(kernels, model, shortLength) : gates[0].ShortLossBefore;
        using var sources = new TokenSources(step.Tokens, tokenizer.Fingerprint);
        for (int index = gates.Count(gate => gate.Passed); index < step.Stages.Count; index = gates.Count(gate => gate.Passed))
        {
            var stage = step.Stages[index];
            int round = gates.Count(gate => gate.SequenceLength == stage.SequenceLength) + 1;
            if (round > step.Gate.MaxRounds) throw Failed(gates[^1]);
            Train(kernels, model, sources, stage, gates.Count, gates.Count == 0 ? 0 : gates[^1].Steps);
            var result = Look(kernels, model, tokenizer, heldOut, validation, shortLength, before, index, round, gates);
            ModelFolder.Save(model, tokenizer, RoundFolder(gates.Count), "pretrain");
            gates.Add(result);
            Save(gates, context.StateFolder);
            context.Log(string.Create(CultureInfo.InvariantCulture,
                $"{stage.SequenceLength:N0} tokens, round {round}: short loss {result.ShortLoss:F4} (before {before:F4}), needles {result.NeedleShare:P0}: {(result.Passed ? "passed" : "not passed")}"));
        }
        Save(gates, context.Folder);
        ModelFolder.Save(model, tokenizer, context.Output("model"), "pretrain");
        context.Summary["steps"] = gates[^1].Steps;
        context.Summary["rounds"] = gates.Count;
        context.Summary["short_loss"] = gates[^1].ShortLoss;
        context.Summary["short_loss_before"] = before;
        context.Summary["needles"] = gates[^1].NeedleShare;
    }

    private string RoundFolder(int round) => Path.Combine(context.StateFolder, string.Create(CultureInfo.InvariantCulture, $"round-{round}"));

    private static void Save(List<GateResult> gates, string folder) =>
        AtomicFile.WriteJson(Path.Combine(folder, GatesFile), gates);

    private List<GateResult> LoadGates()
    {
        string path = Path.Combine(context.StateFolder, GatesFile);
        return File.Exists(path) ? JsonSerializer.Deserialize<List<GateResult>>(AtomicFile.Read(path), RunJson.Indented) ?? [] : [];
    }

    private void Train(CpuKernels kernels, LlamaModel model, TokenSources sources, ContextStage stage, int rounds, long first)
    {
        model.ChangeContext(stage.SequenceLength, stage.RopeTheta, model.Config.RopeScaling);
        var data = new StageData { Mix = step.Mix.Count > 0 ? step.Mix : sources.BySize };
        // Every round another order: it is to see other text.
        var batches = sources.Mix(
            [new() { Name = "context", Steps = stage.Steps, Data = data }], stage.Rows, stage.SequenceLength,
            CounterRandom.Bits(context.Seed, (ulong)rounds));
        new TrainingRun(context, model, kernels, new()
        {
            Schedule = new Cosine { Peak = step.LearningRate, WarmupShare = 0.05, Floor = 0 },
            Optimizer = step.Optimizer ?? new AdamWOptimizerSettings(),
            Recompute = step.Recompute,
            CheckpointSeconds = step.CheckpointSeconds,
        }).Train([new() { Steps = stage.Steps, Source = batches.Phase(0) }], new NextTokenLoss(),
            string.Create(CultureInfo.InvariantCulture, $"context round {rounds}"),
            Path.Combine(context.StateFolder, string.Create(CultureInfo.InvariantCulture, $"training-{rounds}")), first);
    }

    private GateResult Look(
        CpuKernels kernels, LlamaModel model, Tokenizer tokenizer, TokenShards heldOut, ValidationLoss validation, int shortLength,
        double before, int index, int round, List<GateResult> gates)
    {
        double loss = validation.Of(kernels, model, shortLength);
        var haystack = new int[Math.Min(HaystackTokens, heldOut.TokenCount)];
        heldOut.Read(0, haystack);
        var task = new NeedleTask(haystack, tokenizer.BosId ?? 0, [], [], new NeedleSettings
        {
            // The value takes the last tokens of the context.
            Lengths = [shortLength - 2, .. step.Stages.Take(index + 1).Select(stage => stage.SequenceLength - 2)],
            Items = step.Gate.Needles,
            Seed = context.Seed,
        });
        using var scorer = new NeuralModel(model, kernels);
        double share = task.Score(scorer).Accuracy.Value;
        bool passed = loss <= before * step.Gate.ShortLoss && share >= step.Gate.Needle;
        return new(step.Stages[index].SequenceLength, round, (gates.Count == 0 ? 0 : gates[^1].Steps) + step.Stages[index].Steps, loss, before, share, passed);
    }

    private StepFailedException Failed(GateResult last) => new(ExitCode.CheckFailed, string.Create(CultureInfo.InvariantCulture,
        $"the gate at {last.SequenceLength:N0} tokens was not passed in {step.Gate.MaxRounds} rounds: loss at the old context {last.ShortLoss:F4}, at most {last.ShortLossBefore * step.Gate.ShortLoss:F4} was asked; needles {last.NeedleShare:P0} of {step.Gate.Needle:P0}. Give 'gate.max_rounds' or 'steps' more, or lower the gate."));
}

using System.Globalization;
using System.Runtime.InteropServices;
using Finery.Data.Batches;
using Finery.Data.Tokenizers;
using Finery.Models.Llama;
using Finery.Tensors;
using Finery.Training;
using Finery.Training.Losses;
using Finery.Workflow.Runs;

namespace Finery.Workflow.Steps;

/// <summary>What pretraining, finetuning and alignment share: the training loop tied to a step's records, checkpoints and outputs.</summary>
internal sealed class TrainingRun(StepContext context, LlamaModel model, Kernels kernels, TrainingOptions options)
{
    // A tenth of the run: long enough to average the noise of single steps, short enough to be the end.
    private const int TailShare = 10;

    private double _validationLoss = double.NaN;

    /// <summary>Fails before anything is allocated where training would not fit into memory.</summary>
    /// <param name="estimate">What it takes.</param>
    /// <param name="recompute">What the backward pass computes again.</param>
    /// <param name="held">Bytes of it that are allocated already.</param>
    /// <exception cref="StepFailedException">It does not fit.</exception>
    public static void RequireMemory(MemoryEstimate estimate, Recompute recompute, long held = 0)
    {
        if (estimate.WhyNot(MemoryEstimate.Available() + held) is not { } why) return;
        string remedy = recompute == Recompute.Full ? "" : " 'recompute: full' takes the least for activations;";
        throw new StepFailedException(
            ExitCode.MissingPrerequisite, $"{why} Fewer 'rows' or shorter sequences need less, a smaller model most of all;{remedy} or free memory.");
    }

    /// <summary>Trains on batches of one source for so many steps.</summary>
    /// <inheritdoc cref="Run(IReadOnlyList{TrainingPhase}, TrainingLoss, Tokenizer, string)"/>
    public void Run(IBatchSource source, long steps, TrainingLoss loss, Tokenizer tokenizer, string stage) =>
        Run([new() { Steps = steps, Source = source }], loss, tokenizer, stage);

    /// <summary>Trains to the end, resuming from a checkpoint of an interrupted attempt, and saves the model.</summary>
    /// <exception cref="OperationCanceledException">Stopped, with a checkpoint.</exception>
    public void Run(IReadOnlyList<TrainingPhase> phases, TrainingLoss loss, Tokenizer tokenizer, string stage)
    {
        var result = Train(phases, loss, stage, context.StateFolder, firstStep: 0);
        ModelFolder.Save(model, tokenizer, context.Output("model"), stage);
        loss.SaveBeside(context.Output("model"));
        Summarize(phases, result, stage);
    }

    /// <summary>Trains to the end, resuming from a checkpoint of an interrupted attempt; the weights then are the average where one is
    /// kept.</summary>
    /// <param name="phases">The run.</param>
    /// <param name="loss">What is minimised.</param>
    /// <param name="stage">Part of a checkpoint's identity.</param>
    /// <param name="stateFolder">Folder of checkpoints.</param>
    /// <param name="firstStep">Number of the first step in the records, of a step that trains several times.</param>
    /// <exception cref="OperationCanceledException">Stopped, with a checkpoint.</exception>
    public TrainingResult Train(
        IReadOnlyList<TrainingPhase> phases, TrainingLoss loss, string stage, string stateFolder, long firstStep)
    {
        int tokens = phases.Max(phase => phase.Source.Rows / phase.MicroBatches * phase.Source.Length);
        RequireMemory(MemoryEstimate.OfTraining(
            model.Config, tokens, options.Recompute, model.WeightType, options.Optimizer, context.Threads, loss.WeightsKnown, options.Objective),
            options.Recompute, held: model.Bytes);
        long steps = phases.Sum(phase => phase.Steps);
        using var optimizer = options.Optimizer.Create([.. model.Parameters, .. loss.Parameters], context.Seed);
        using var signal = new CheckpointSignal();
        using var loop = new TrainingLoop(kernels, model, phases, loss, optimizer, options.Schedule, new TrainingLoopSettings
        {
            PeakFlops = options.PeakFlops,
            Recompute = options.Recompute,
            Clip = options.Clip,
            QkClip = options.Optimizer.QkClip,
            Repair = options.Repair,
            Monitoring = options.Monitoring,
            Sources = options.Sources,
            Average = options.Average,
            Faults = options.Faults,
            CheckpointFolder = stateFolder,
            CheckpointEverySeconds = options.CheckpointSeconds,
            CheckpointEverySteps = options.HealthyEveryOf(steps),
            Retention = options.Retention,
            EvaluateEverySteps = options.Validation is null ? 0 : options.ValidationEvery > 0 ? options.ValidationEvery : steps,
            Seed = context.Seed,
            Identity = new Dictionary<string, string> { ["stage"] = stage, ["seed"] = context.Seed.ToString(CultureInfo.InvariantCulture) },
        });
        loop.CheckpointRequested = signal.Take;
        loop.OnWarning = context.Warn;
        bool resumed = loop.Resume();
        context.TruncateMetrics(firstStep + loop.Step, loop.Attempt);
        if (resumed) context.Log($"continues at step {loop.Step:N0} of {steps:N0}");

        string[] lossNames = [.. loss.MetricNames.Select(name => name.Replace("rewards/accuracy", "accuracy"))];
        var row = new List<(string, double)>();
        var profile = context.ProfiledSteps > 0 ? new TrainingProfile(context, kernels) : null;
        loop.OnMonitor = (_, values) => row.AddRange(values);
        loop.OnStep = (in StepMetrics metrics, ReadOnlySpan<double> lossMetrics) =>
        {
            row.AddRange(
            [
                ("loss", metrics.Loss), ("learning_rate", metrics.LearningRate), ("gradient_norm", metrics.GradientNorm),
                ("tokens_per_second", metrics.TokensPerSecond), ("mfu", metrics.Utilisation),
                ("step_seconds", loop.Phase.TokensPerStep / metrics.TokensPerSecond),
            ]);
            for (int i = 0; i < lossNames.Length; i++) row.Add((lossNames[i], lossMetrics[i]));
            if (metrics.ClippedHeads is { } clipped) row.Add(("clipped_heads", clipped));
            if (metrics.Skipped) row.Add(("skipped", 1));
            if (metrics.Attempt > 0) row.Add((StepContext.AttemptMetric, metrics.Attempt));
            context.Metrics(firstStep + metrics.Step, CollectionsMarshal.AsSpan(row));
            row.Clear();
            context.Progress(metrics.Step + 1, metrics.TotalSteps, string.Create(CultureInfo.InvariantCulture,
                $"loss {metrics.SmoothedLoss:F3}, lr {metrics.LearningRate:0.0e0}, {metrics.TokensPerSecond:N0} tokens/s, epoch {metrics.Epoch:F2}"));
            profile?.AfterStep(metrics.Step);
        };
        loop.OnRepair = happened =>
        {
            string kind = happened.Rung.ToString().ToLowerInvariant();
            context.Event(firstStep + happened.Step, loop.Attempt, kind, happened.Reason,
                [.. happened.Changes.SelectMany(change => new[] { (change.Name + " before", change.Before), (change.Name + " after", change.After) })]);
            context.Log($"step {happened.Step:N0}: {kind}: {happened.Reason}");
        };
        loop.OnAlert = alert =>
        {
            context.Event(firstStep + alert.Step, loop.Attempt, "alert", alert.ToString(), (alert.What, alert.Value), ("threshold", alert.Threshold));
            context.Warn(alert.ToString());
        };
        loop.OnEvaluation = step =>
        {
            _validationLoss = options.Validation!.Of(kernels, model, loop.Phase.Source.Length);
            context.Metrics(firstStep + step - 1, ("validation_loss", _validationLoss), (StepContext.AttemptMetric, loop.Attempt));
        };

        TrainingResult result;
        try
        {
            result = loop.Run(context.Stop);
        }
        catch (DivergedException exception)
        {
            string bundle = exception.Bundle is { } file ? $" The last steps and the norms of all parameters are in {file}." : "";
            throw new StepFailedException(ExitCode.Diverged, $"{exception.Message}{bundle} Try a lower 'learning_rate'.");
        }
        finally
        {
            profile?.Finish();
        }
        if (result.Outcome == TrainingOutcome.Interrupted)
        {
            context.Log($"checkpoint written at step {result.Steps:N0}");
            throw new OperationCanceledException(context.Stop);
        }
        double Validate() => options.Validation?.Of(kernels, model, phases[^1].Source.Length) ?? double.NaN;
        // A run killed after its last step resumes with nothing left to do.
        if (double.IsNaN(_validationLoss)) _validationLoss = Validate();
        if (loop.Average is { Count: > 0 } average)
        {
            if (options.Validation is not null) context.Summary["validation_loss_last"] = _validationLoss;
            average.CopyTo(model.Parameters);
            _validationLoss = Validate();
        }
        return result;
    }

    private void Summarize(IReadOnlyList<TrainingPhase> phases, TrainingResult result, string stage)
    {
        var rows = context.MetricRows().Where(row => row.ContainsKey("loss")).ToList();
        var summary = context.Summary;
        summary["parameters"] = model.Config.ParameterCount;
        summary["steps"] = result.Steps;
        summary["skipped_steps"] = result.SkippedSteps;
        summary["tokens"] = result.TokensSeen;
        summary["epochs"] = phases[^1].Source.EpochAt(result.Steps);
        summary["final_loss"] = Mean(rows.TakeLast(Math.Max(1, rows.Count / TailShare)), "loss");
        if (options.Validation is not null) summary["validation_loss"] = _validationLoss;
        // The median, so that pauses of a busy machine and of interrupted attempts do not count.
        double[] rates = [.. rows.Select(row => row["tokens_per_second"]).Order()];
        double median = rates[rates.Length / 2];
        summary["tokens_per_second"] = median;
        summary["seconds_training"] = rows.Sum(row => row["step_seconds"]);
        // Only where every token has a target: the head skips the others, and the count of operations does not know.
        if (options.PeakFlops > 0 && stage == "pretrain")
            summary["mfu"] = median * model.Config.TrainingFlopsPerToken(phases[^1].Source.Length) / options.PeakFlops;
        context.Log(string.Create(CultureInfo.InvariantCulture,
            $"{result.Steps:N0} steps, {result.TokensSeen:N0} tokens, final loss {summary["final_loss"]!.GetValue<double>():F3}, {median:N0} tokens/s"));
    }

    private static double Mean(IEnumerable<IReadOnlyDictionary<string, double>> rows, string name) =>
        rows.Select(row => row[name]).Where(double.IsFinite).DefaultIfEmpty(double.NaN).Average();
}

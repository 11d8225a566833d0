using System.Globalization;
using Finery.Data.Batches;
using Finery.Data.Tokenizers;
using Finery.Models.Llama;
using Finery.Tensors;
using Finery.Training;
using Finery.Training.Losses;
using Finery.Training.Optimizers;
using Finery.Training.Schedules;
using Finery.Workflow.Runs;

namespace Finery.Workflow.Steps;

/// <summary>What pretraining, finetuning and alignment share: the training loop tied to a step's records, checkpoints and outputs.</summary>
internal sealed class TrainingRun(
    StepContext context, LlamaModel model, Kernels kernels, double checkpointSeconds, Recompute recompute,
    MasterWeights masters = MasterWeights.Split)
{
    /// <summary>Default time between checkpoints: a killed run loses little, and writing them costs below a percent.</summary>
    public const double CheckpointSeconds = 20;

    // A tenth of the run: long enough to average the noise of single steps, short enough to be the end.
    private const int TailShare = 10;

    private double _validationLoss = double.NaN;

    /// <summary>Measures the loss on held-out text; null for none.</summary>
    public ValidationLoss? Validation { get; init; }

    /// <summary>Steps between measurements; 0 for the end alone.</summary>
    public long ValidationEvery { get; init; }

    /// <summary>Length, learning rate and machine peak of a run.</summary>
    /// <param name="Steps">Optimizer steps.</param>
    /// <param name="LearningRate">Peak; warmed up over a twentieth of the steps (at most 200), then decayed linearly to zero.</param>
    /// <param name="PeakFlops">Of the machine, for utilisation; 0 if unknown.</param>
    public readonly record struct Budget(long Steps, double LearningRate, double PeakFlops);

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

    /// <summary>Trains to the end, resuming from a checkpoint of an interrupted attempt, and saves the model.</summary>
    /// <exception cref="OperationCanceledException">Stopped, with a checkpoint.</exception>
    public void Run(IBatchSource source, TrainingLoss loss, Budget budget, Tokenizer tokenizer, string stage)
    {
        var settings = new AdamWOptimizerSettings { Masters = masters };
        RequireMemory(MemoryEstimate.OfTraining(
            model.Config, source.Rows * source.Length, recompute, model.WeightType, settings, context.Threads, loss.WeightsKnown),
            recompute, held: model.Bytes);
        using var optimizer = settings.Create(model.Parameters, context.Seed);
        long warmup = Math.Min(200, budget.Steps / 20);
        var schedule = new WarmupStableDecay { Peak = budget.LearningRate, WarmupSteps = warmup, DecaySteps = budget.Steps - warmup };
        using var loop = new TrainingLoop(kernels, model, source, loss, optimizer, schedule, new TrainingLoopSettings
        {
            Steps = budget.Steps,
            PeakFlops = budget.PeakFlops,
            Recompute = recompute,
            CheckpointFolder = context.StateFolder,
            CheckpointEverySeconds = checkpointSeconds,
            EvaluateEverySteps = Validation is null ? 0 : ValidationEvery > 0 ? ValidationEvery : budget.Steps,
            Identity = new Dictionary<string, string> { ["stage"] = stage, ["seed"] = context.Seed.ToString(CultureInfo.InvariantCulture) },
        });
        loop.OnWarning = context.Warn;
        bool resumed = loop.Resume();
        context.TruncateMetrics(loop.Step);
        if (resumed) context.Log($"continues at step {loop.Step:N0} of {budget.Steps:N0}");

        string[] lossNames = [.. loss.MetricNames.Select(name => name.Replace("rewards/accuracy", "accuracy"))];
        var row = new (string, double)[5 + lossNames.Length];
        var profile = context.ProfiledSteps > 0 ? new TrainingProfile(context, kernels) : null;
        loop.OnStep = (in StepMetrics metrics, ReadOnlySpan<double> lossMetrics) =>
        {
            row[0] = ("loss", metrics.Loss);
            row[1] = ("learning_rate", metrics.LearningRate);
            row[2] = ("gradient_norm", metrics.GradientNorm);
            row[3] = ("tokens_per_second", metrics.TokensPerSecond);
            row[4] = ("mfu", metrics.Utilisation);
            for (int i = 0; i < lossNames.Length; i++) row[5 + i] = (lossNames[i], lossMetrics[i]);
            context.Metrics(metrics.Step, row);
            context.Progress(metrics.Step + 1, metrics.TotalSteps, string.Create(CultureInfo.InvariantCulture,
                $"loss {metrics.SmoothedLoss:F3}, lr {metrics.LearningRate:0.0e0}, {metrics.TokensPerSecond:N0} tokens/s, epoch {metrics.Epoch:F2}"));
            profile?.AfterStep(metrics.Step);
        };

        loop.OnEvaluation = step =>
        {
            _validationLoss = Validation!.Of(kernels, model, source.Length);
            context.Metrics(step - 1, ("validation_loss", _validationLoss));
        };

        TrainingResult result;
        try
        {
            result = loop.Run(context.Stop);
        }
        catch (DivergedException exception)
        {
            throw new StepFailedException(ExitCode.Diverged, $"{exception.Message} Try a lower 'learning_rate'.");
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
        // A run killed after its last step resumes with nothing left to do.
        if (Validation is not null && double.IsNaN(_validationLoss)) _validationLoss = Validation.Of(kernels, model, source.Length);
        ModelFolder.Save(model, tokenizer, context.Output("model"), stage);
        Summarize(source, budget, result, stage);
    }

    private void Summarize(IBatchSource source, Budget budget, TrainingResult result, string stage)
    {
        var rows = context.MetricRows().Where(row => row.ContainsKey("loss")).ToList();
        var summary = context.Summary;
        summary["parameters"] = model.Config.ParameterCount;
        summary["steps"] = result.Steps;
        summary["skipped_steps"] = result.SkippedSteps;
        summary["tokens"] = result.TokensSeen;
        summary["epochs"] = source.EpochAt(result.Steps);
        summary["final_loss"] = Mean(rows.TakeLast(Math.Max(1, rows.Count / TailShare)), "loss");
        if (Validation is not null) summary["validation_loss"] = _validationLoss;
        // The median, so that pauses of a busy machine and of interrupted attempts do not count.
        double[] rates = [.. rows.Select(row => row["tokens_per_second"]).Order()];
        double median = rates[rates.Length / 2];
        summary["tokens_per_second"] = median;
        summary["seconds_training"] = rows.Sum(row => source.Rows * source.Length / row["tokens_per_second"]);
        // Only where every token has a target: the head skips the others, and the count of operations does not know.
        if (budget.PeakFlops > 0 && stage == "pretrain") summary["mfu"] = median * model.Config.TrainingFlopsPerToken(source.Length) / budget.PeakFlops;
        context.Log(string.Create(CultureInfo.InvariantCulture,
            $"{result.Steps:N0} steps, {result.TokensSeen:N0} tokens, final loss {summary["final_loss"]!.GetValue<double>():F3}, {median:N0} tokens/s"));
    }

    private static double Mean(IEnumerable<IReadOnlyDictionary<string, double>> rows, string name) =>
        rows.Select(row => row[name]).Where(double.IsFinite).DefaultIfEmpty(double.NaN).Average();
}

using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Text.Json.Nodes;
using Finery.Data.Batches;
using Finery.Tensors;
using Finery.Training;
using Finery.Training.Optimizers;
using Finery.Training.Scaling;

namespace Finery.Workflow.Steps;

/// <summary>
/// Measures this machine's training speed for a few seconds, then chooses the model size and number of tokens with the lowest
/// predicted loss for the minutes given.
/// </summary>
[Description("Measure this machine and choose model size and training length for the minutes given")]
public sealed record PlanStep : Step
{
    // What is not planned for: starting up, saving, a machine that slows down while it works.
    private const double Margin = 0.94;

    // Evaluation besides forward passes: n-gram tables, compression, samples, the report.
    private const double FixedEvaluationSeconds = 18;

    // Time of a preference token over that of a pretraining token: the forward pass of the head runs twice and the reference once, but
    // only completions have targets. Measured 0.65 to 0.8; docs/measurements.md.
    private const double AlignTokenCost = 0.8;

    /// <summary>What will be learned: its size bounds the number of epochs.</summary>
    [Input(ArtifactKind.Tokens), Description("token shards to be learned")]
    public required Artifact Tokens { get; init; }

    /// <summary>Time for the whole recipe, steps already finished included.</summary>
    [Description("minutes for the whole recipe"), Range(0.1, 100_000)]
    public double Minutes { get; init; } = 10;

    /// <summary>Share of the training time for finetuning.</summary>
    [Description("share of training time for finetuning"), Range(0, 0.9)]
    public double FinetuneShare { get; init; } = 0.12;

    /// <summary>Share of the training time for alignment.</summary>
    [Description("share of training time for alignment"), Range(0, 0.9)]
    public double AlignShare { get; init; } = 0.2;

    /// <summary>Forward tokens that evaluation will cost, over all models.</summary>
    [Description("tokens that evaluation will read, over all models"), Range(0, long.MaxValue)]
    public long EvaluationTokens { get; init; } = 1_000_000;

    /// <summary>Tokens of a training row.</summary>
    [Description("tokens of a training row"), Range(16, 1 << 16)]
    public int SequenceLength { get; init; } = 256;

    /// <summary>Passes over the data at most.</summary>
    [Description("passes over the data at most"), Range(0.01, 100)]
    public double MaxEpochs { get; init; } = 6;

    /// <summary>Preference pairs of an alignment step.</summary>
    [Description("preference pairs of an alignment step"), Range(1, 1 << 16)]
    public int PairsPerStep { get; init; } = 16;

    /// <summary>What pretraining will turn gradients into updates by: its cost is measured.</summary>
    [Description("optimizer of the pretraining, whose cost is measured; default adamw")]
    public OptimizerSettings? Optimizer { get; init; }

    /// <inheritdoc/>
    public override IReadOnlyList<StepOutput> Outputs => [new(TrainingPlan.FileName, ArtifactKind.Plan)];

    /// <inheritdoc/>
    public override IEnumerable<(string Property, string Message)> Validate() => FinetuneShare + AlignShare > 0.95
        ? [(nameof(AlignShare), "finetune_share and align_share together leave no time for pretraining.")] : [];

    /// <inheritdoc/>
    public override void Run(StepContext context)
    {
        using var shards = TokenShards.Open(Tokens.Path);
        int vocabSize = shards.Manifest.VocabSize;
        using var kernels = new CpuKernels(context.Threads);
        int documentTokens = (int)Math.Min(int.MaxValue, Math.Max(1, shards.TokenCount / shards.DocumentCount));
        context.Progress(0, 0, "measuring this machine");
        double peak = ThroughputProbe.PeakFlops(kernels);
        var speeds = ComputeOptimalPlan.Shapes(vocabSize, SequenceLength)
            .Where(config => config is { EmbeddingSize: 64, LayerCount: 2 } or { EmbeddingSize: 128, LayerCount: 4 } or { EmbeddingSize: 256, LayerCount: 6 })
            .Select(config => ThroughputProbe.Measure(kernels, config, rows: 8, documentTokens, optimizer: Optimizer))
            .ToArray();
        context.Stop.ThrowIfCancellationRequested();

        var request = new PlanRequest
        {
            Speeds = speeds, Seconds = 1, UniqueTokens = shards.TokenCount, VocabSize = vocabSize, SequenceLength = SequenceLength, MaxEpochs = MaxEpochs,
            Law = ScalingLaw.DotNetDocumentation,
        };
        request = request with { MemoryBytes = Math.Min(request.MemoryBytes, MemoryEstimate.Available()) };
        // Evaluation is a forward pass, a third of training's work, of a model whose size the plan decides: two rounds settle it.
        double available = 60 * Minutes * Margin - context.SecondsSoFar - FixedEvaluationSeconds, training = available;
        ComputeOptimalPlan plan = null!;
        for (int round = 0; round < 2; round++)
        {
            training = Math.Max(available, 5);
            double pretrainShare = 1 - FinetuneShare - AlignShare;
            plan = ComputeOptimalPlan.Make(request with { Seconds = training * pretrainShare });
            available = 60 * Minutes * Margin - context.SecondsSoFar - FixedEvaluationSeconds - EvaluationTokens / (3 * TokensPerSecond(plan.Chosen));
        }
        if (available < 5)
            context.Warn($"{Minutes} minutes leave no time for training after {context.SecondsSoFar:F0} s of data work: training for 5 s all the same");

        double rate = TokensPerSecond(plan.Chosen);
        int stepTokens = plan.RowsPerBatch * SequenceLength;
        TrainingRun.RequireMemory(MemoryEstimate.OfTraining(plan.Chosen.Config, stepTokens, threads: context.Threads), Recompute.None);
        // About 96 tokens for each of the two sequences of a pair, padding included.
        double alignStepSeconds = PairsPerStep * 2 * 96 / rate * AlignTokenCost;
        var result = new TrainingPlan
        {
            Model = ModelShape.Of(plan.Chosen.Config),
            SequenceLength = SequenceLength,
            Rows = plan.RowsPerBatch,
            PretrainSteps = plan.Steps,
            LearningRate = plan.PeakLearningRate,
            FinetuneSteps = Math.Max(1, (long)(training * FinetuneShare * rate / stepTokens)),
            AlignSteps = Math.Max(1, (long)(training * AlignShare / alignStepSeconds)),
            PairsPerStep = PairsPerStep,
            PeakFlops = peak,
        };
        result.Save(context.Output(TrainingPlan.FileName));
        Summarize(context, plan, request, result, rate, training);
    }

    private double TokensPerSecond(PlanCandidate candidate) =>
        candidate.FlopsPerSecond / candidate.Config.TrainingFlopsPerToken(SequenceLength);

    private void Summarize(
        StepContext context, ComputeOptimalPlan plan, PlanRequest request, TrainingPlan result, double rate, double training)
    {
        var summary = context.Summary;
        var law = request.Law;
        long tokens = plan.Steps * plan.RowsPerBatch * SequenceLength;
        summary["minutes"] = Minutes;
        summary["parameters"] = plan.Chosen.Config.ParameterCount;
        summary["tokens"] = tokens;
        summary["epochs"] = (double)tokens / request.UniqueTokens;
        summary["tokens_per_second"] = rate;
        summary["pretrain_seconds"] = tokens / rate;
        summary["training_seconds"] = training;
        summary["predicted_loss"] = plan.Chosen.PredictedLoss;
        summary["peak_flops"] = result.PeakFlops;
        summary["law"] = string.Create(CultureInfo.InvariantCulture,
            $"Law: L(N, D) = {law.E} + {law.A}/N^{law.Alpha} + {law.B}/D'^{law.Beta}, N parameters, D' = U + U R* (1 - exp(-(epochs - 1)/R*)) effective tokens of U = {request.UniqueTokens:N0} unique ones, R* = {ScalingLaw.RepetitionDecay:F2}; at most {MaxEpochs} epochs. See docs/guide.md, The plan.");
        summary["candidates"] = new JsonArray([.. Nearby(plan).Select(candidate => (JsonNode)new JsonObject
        {
            ["shape"] = ModelShape.Of(candidate.Config).ToString(),
            ["parameters"] = candidate.Config.ParameterCount,
            ["tokens_per_second"] = TokensPerSecond(candidate),
            ["tokens"] = candidate.Tokens,
            ["epochs"] = candidate.Epochs,
            ["predicted_loss"] = candidate.PredictedLoss,
        })]);
        context.Log(string.Create(CultureInfo.InvariantCulture,
            $"machine: {result.PeakFlops / 1e9:F0} GFLOP/s in matrix products; {Minutes} minutes, {training:F0} s of them for training"));
        context.Log(string.Create(CultureInfo.InvariantCulture,
            $"model: {result.Model}, {plan.Chosen.Config.ParameterCount / 1e6:F2} M parameters at {rate:N0} tokens/s"));
        context.Log(string.Create(CultureInfo.InvariantCulture,
            $"pretraining: {result.PretrainSteps:N0} steps of {result.Rows * SequenceLength:N0} tokens = {tokens / 1e6:F1} M tokens ({(double)tokens / request.UniqueTokens:F2} epochs), peak learning rate {result.LearningRate:0.0e0}; finetuning {result.FinetuneSteps:N0} steps, alignment {result.AlignSteps:N0} steps"));
        context.Log(string.Create(CultureInfo.InvariantCulture, $"expected loss after pretraining: {plan.Chosen.PredictedLoss:F2} nats per token"));
        context.Log((string)summary["law"]!);
    }

    /// <summary>The chosen candidate and the ones around it, smallest first.</summary>
    private static IEnumerable<PlanCandidate> Nearby(ComputeOptimalPlan plan)
    {
        const int Around = 8;
        int chosen = plan.Candidates.ToList().IndexOf(plan.Chosen);
        return plan.Candidates.Skip(Math.Max(0, chosen - Around)).Take(2 * Around + 1);
    }
}

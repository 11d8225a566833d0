using Finery.Models;

namespace Finery.Training.Scaling;

/// <summary>Training speed of one shape on this machine.</summary>
/// <param name="Config">The shape.</param>
/// <param name="FlopsPerSecond">Model FLOP/s (full convention, reference 1.7) of whole training steps.</param>
public sealed record MeasuredSpeed(ModelConfig Config, double FlopsPerSecond);

/// <summary>What a plan is made for.</summary>
public sealed record PlanRequest
{
    /// <summary>Speeds measured here, at least one; shapes between are interpolated in the logarithm of their matmul weights.</summary>
    public required IReadOnlyList<MeasuredSpeed> Speeds { get; init; }

    /// <summary>Time for training.</summary>
    public required double Seconds { get; init; }

    /// <summary>Distinct training tokens.</summary>
    public required long UniqueTokens { get; init; }

    /// <summary>V.</summary>
    public required int VocabSize { get; init; }

    /// <summary>T: tokens of a row.</summary>
    public required int SequenceLength { get; init; }

    /// <summary>Most passes over the data; beyond about four, repetition is worth clearly less than new text (Muennighoff et al. 2023).</summary>
    public double MaxEpochs { get; init; } = 6;

    /// <summary>Fewest optimizer steps: with fewer the learning rate has no time to do its work, so the batch is made smaller.</summary>
    public int MinSteps { get; init; } = 300;

    /// <summary>The law that ranks candidates.</summary>
    public ScalingLaw Law { get; init; } = ScalingLaw.Refit;

    /// <summary>Memory that weights, gradients and moments (16 bytes a parameter) may take.</summary>
    public long MemoryBytes { get; init; } = 8L << 30;
}

/// <summary>One shape considered.</summary>
/// <param name="Config">The shape.</param>
/// <param name="FlopsPerSecond">Measured or interpolated.</param>
/// <param name="Tokens">What it can be trained on in the time, and within the epochs.</param>
/// <param name="Epochs">Passes over the data.</param>
/// <param name="PredictedLoss">By the law, for ranking.</param>
public sealed record PlanCandidate(ModelConfig Config, double FlopsPerSecond, long Tokens, double Epochs, double PredictedLoss);

/// <summary>
/// The model and the run of the lowest predicted loss for a time on this machine: a ladder of Llama shapes, each given the tokens it
/// can read in that time at its own speed, ranked by a scaling law with repeated data discounted.
/// </summary>
/// <param name="Chosen">The best candidate.</param>
/// <param name="RowsPerBatch">Rows of T tokens a step.</param>
/// <param name="Steps">Steps of the run.</param>
/// <param name="PeakLearningRate">By <see cref="LearningRateFor"/>.</param>
/// <param name="Candidates">All candidates, smallest first.</param>
public sealed record ComputeOptimalPlan(
    PlanCandidate Chosen, int RowsPerBatch, long Steps, double PeakLearningRate, IReadOnlyList<PlanCandidate> Candidates)
{
    // Larger rates make small models diverge before the law's range begins (it was fitted from 1e17 operations up).
    private const double HighestLearningRate = 8e-3;

    // Below the range the batch law was fitted in, its batches are too large: 1.2 M parameters and 0.6 M tokens of the .NET documentation
    // end at 3.57 nats with batches of 1,024 tokens and at 4.24 with 4,096 (docs/measurements.md).
    private const double SmallRunShare = 0.25;

    /// <summary>Peak learning rate for a budget of C operations, <c>0.3118 C^-0.125</c> (DeepSeek LLM, arXiv 2401.02954), at most 0.008.</summary>
    public static double LearningRateFor(double operations) =>
        Math.Min(HighestLearningRate, BudgetLaw.DeepSeekRate.At(operations));

    /// <summary>Tokens of a batch for a budget of C operations, <c>0.2920 C^0.3271</c> (DeepSeek LLM).</summary>
    public static double BatchTokensFor(double operations) => BudgetLaw.DeepSeekBatch.At(operations);

    /// <summary>Rows of a batch: a quarter of <see cref="BatchTokensFor"/>, fewer if the run would have too few steps.</summary>
    /// <param name="operations">C, FLOPs of the run.</param>
    /// <param name="tokens">D, tokens of the run.</param>
    /// <param name="sequenceLength">T.</param>
    /// <param name="minSteps">Fewest steps.</param>
    public static int RowsFor(double operations, long tokens, int sequenceLength, int minSteps = 300)
    {
        double batch = Math.Min(SmallRunShare * BatchTokensFor(operations), (double)tokens / minSteps);
        return (int)Math.Clamp(Math.Round(batch / sequenceLength), 1, 1 << 16);
    }

    /// <summary>Makes the plan.</summary>
    /// <exception cref="ArgumentException">The request is impossible; the message says why.</exception>
    public static ComputeOptimalPlan Make(PlanRequest request)
    {
        Check(request);
        var candidates = Shapes(request.VocabSize, request.SequenceLength)
            .Where(config => config.ParameterCount * 16 <= request.MemoryBytes)
            .Select(config => Candidate(config, request)).ToArray();
        if (candidates.Length == 0)
            throw new ArgumentException($"No model with a vocabulary of {request.VocabSize} fits {request.MemoryBytes:N0} bytes.");
        var chosen = candidates.MinBy(candidate => candidate.PredictedLoss)!;

        double operations = chosen.Tokens * chosen.Config.TrainingFlopsPerToken(request.SequenceLength);
        int rows = RowsFor(operations, chosen.Tokens, request.SequenceLength, request.MinSteps);
        long steps = Math.Max(1, chosen.Tokens / ((long)rows * request.SequenceLength));
        return new(chosen, rows, steps, LearningRateFor(operations), candidates);
    }

    /// <summary>The ladder: widths in steps of about a quarter, depths so that width / depth lies between 16 and 64, heads of 32 up to
    /// width 256 and of 64 above, about four query heads to a key/value head, feed-forward 8/3 of the width rounded to 32, head tied.</summary>
    public static IEnumerable<ModelConfig> Shapes(int vocabSize, int sequenceLength)
    {
        int[] widths = [64, 96, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640, 768, 896, 1024, 1280, 1536, 2048];
        int[] depths = [2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40];
        var shapes =
            from width in widths
            from depth in depths
            where width >= 16 * depth && width <= 64 * depth
            select Shape(width, depth, vocabSize, sequenceLength);
        return shapes.OrderBy(config => config.ParameterCount);
    }

    private static ModelConfig Shape(int width, int depth, int vocabSize, int sequenceLength)
    {
        int headSize = width <= 256 ? 32 : 64;
        int heads = width / headSize;
        return new()
        {
            VocabSize = vocabSize,
            EmbeddingSize = width,
            LayerCount = depth,
            HeadCount = heads,
            // The most sharing of up to four that divides the heads.
            KvHeadCount = heads / new[] { 4, 3, 2, 1 }.First(group => heads % group == 0),
            HeadSize = headSize,
            FeedForwardSize = (int)Math.Round(width * 8 / 3.0 / 32) * 32,
            SequenceLength = sequenceLength,
        };
    }

    private static PlanCandidate Candidate(ModelConfig config, PlanRequest request)
    {
        double speed = Speed(config, request.Speeds);
        double inTime = request.Seconds * speed / config.TrainingFlopsPerToken(request.SequenceLength);
        double tokens = Math.Max(1, Math.Min(inTime, request.MaxEpochs * request.UniqueTokens));
        double loss = request.Law.Loss(config.ParameterCount, tokens, request.UniqueTokens);
        return new(config, speed, (long)tokens, tokens / request.UniqueTokens, loss);
    }

    private static double Speed(ModelConfig config, IReadOnlyList<MeasuredSpeed> speeds)
    {
        var ordered = speeds.OrderBy(speed => speed.Config.MatmulWeights).ToArray();
        long size = config.MatmulWeights;
        if (size <= ordered[0].Config.MatmulWeights) return ordered[0].FlopsPerSecond;
        for (int i = 1; i < ordered.Length; i++)
        {
            var (below, above) = (ordered[i - 1], ordered[i]);
            if (size > above.Config.MatmulWeights) continue;
            double low = Math.Log(below.Config.MatmulWeights), high = Math.Log(above.Config.MatmulWeights);
            double part = high > low ? (Math.Log(size) - low) / (high - low) : 1;
            return below.FlopsPerSecond + part * (above.FlopsPerSecond - below.FlopsPerSecond);
        }
        return ordered[^1].FlopsPerSecond;
    }

    private static void Check(PlanRequest request)
    {
        if (request.Speeds.Count == 0 || request.Speeds.Any(speed => !(speed.FlopsPerSecond > 0)))
            throw new ArgumentException("Plan: at least one measured speed is needed, and each must be positive.");
        if (!(request.Seconds > 0)) throw new ArgumentException($"Plan: {request.Seconds} seconds; the time must be positive.");
        if (request.UniqueTokens < 1) throw new ArgumentException($"Plan: {request.UniqueTokens} training tokens; there must be some.");
        if (!(request.MaxEpochs > 0)) throw new ArgumentException($"Plan: at most {request.MaxEpochs} epochs; it must be positive.");
        if (request.VocabSize < 1 || request.SequenceLength < 1)
            throw new ArgumentException($"Plan: vocabulary {request.VocabSize} and sequence length {request.SequenceLength} must be positive.");
    }
}

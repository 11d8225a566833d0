namespace Finery.Models;

/// <summary>A published model (pretraining reference 1.1).</summary>
/// <param name="Name">What recipes call it.</param>
/// <param name="Released">As its weights are published.</param>
/// <param name="PeakLearningRate">Of its pretraining; null where not published.</param>
/// <param name="PretrainingLength">Context in the first stage of its pretraining.</param>
/// <param name="PretrainingTheta">Base of the rotary frequencies then.</param>
public sealed record ModelPreset(
    string Name, ModelConfig Released, double? PeakLearningRate, int PretrainingLength, double PretrainingTheta)
{
    /// <summary>As pretraining began: the first context length and rotary base, without scaling.</summary>
    public ModelConfig Pretraining =>
        Released with { SequenceLength = PretrainingLength, RopeTheta = PretrainingTheta, RopeScaling = null };
}

/// <summary>Published shapes, and smaller models of the same proportions.</summary>
public static class ModelPresets
{
    // Narrower heads than this no longer have room for rotary frequencies.
    private const int LeastHeadSize = 16;

    private const int LlamaVocabulary = 128256, SmolVocabulary = 49152, Begin = 128000, End = 128001;

    /// <summary>All of them.</summary>
    public static IReadOnlyList<ModelPreset> All { get; } =
    [
        Llama("llama3.1-8b", 3e-4, 32, 4096, 14336, 32, 128, factor: 8, tied: false),
        Llama("llama3.1-70b", 1.5e-4, 80, 8192, 28672, 64, 128, factor: 8, tied: false),
        Llama("llama3.1-405b", 8e-5, 126, 16384, 53248, 128, 128, factor: 8, tied: false),
        Llama("llama3.2-1b", null, 16, 2048, 8192, 32, 64, factor: 32, tied: true),
        Llama("llama3.2-3b", null, 28, 3072, 8192, 24, 128, factor: 32, tied: true),
        new("smollm3-3b", new ModelConfig
        {
            VocabSize = LlamaVocabulary, LayerCount = 36, EmbeddingSize = 2048, FeedForwardSize = 11008, HeadCount = 16, KvHeadCount = 4,
            HeadSize = 128, SequenceLength = 65536, RmsNormEpsilon = 1e-6f, RopeTheta = 5e6, NoRopeInterval = 4, TieEmbeddings = true,
            BosId = Begin, EosId = End, PadId = 128004,
        }, 2e-4, 4096, 5e4),
        Smol("smollm2-135m", 3e-3, 30, 576, 1536, 9, 3),
        Smol("smollm2-360m", null, 32, 960, 2560, 15, 5),
    ];

    /// <summary>The preset of a name.</summary>
    /// <exception cref="ArgumentException">There is none; the message lists all.</exception>
    public static ModelPreset Find(string name) =>
        All.FirstOrDefault(preset => string.Equals(preset.Name, name, StringComparison.OrdinalIgnoreCase))
        ?? throw new ArgumentException($"There is no model shape '{name}'; known are {string.Join(", ", All.Select(preset => preset.Name))}.");

    /// <summary>A smaller model of the same proportions: width and depth times <paramref name="dial"/>, so parameters about times its cube.
    /// Query heads per key/value head, width per MLP width, the share of layers without rotation, tying and rotary base stay; heads keep
    /// their size until one group of them is wider than the model, then halve it.</summary>
    /// <param name="config">The large model.</param>
    /// <param name="dial">Above 0, at most 1.</param>
    /// <param name="vocabSize">Of the tokenizer in use; null keeps the vocabulary. Special ids outside it are dropped.</param>
    /// <param name="sequenceLength">Longest context; null keeps it.</param>
    /// <exception cref="ArgumentOutOfRangeException">The dial is outside its range.</exception>
    public static ModelConfig Scaled(this ModelConfig config, double dial, int? vocabSize = null, int? sequenceLength = null)
    {
        if (!(dial is > 0 and <= 1)) throw new ArgumentOutOfRangeException(nameof(dial), dial, "The dial must be above 0 and at most 1.");
        int group = config.HeadCount / config.KvHeadCount, headSize = config.HeadSize;
        double width = dial * config.HeadCount * config.HeadSize;
        while (headSize > LeastHeadSize && headSize % 4 == 0 && group * headSize > width) headSize /= 2;
        int kvHeads = Math.Max(1, Round(width / (group * headSize)));
        int embedding = Round((double)config.EmbeddingSize * kvHeads * group * headSize / (config.HeadCount * config.HeadSize));
        int interval = Math.Max(1, config.NoRopeInterval);
        int vocabulary = vocabSize ?? config.VocabSize;
        int? Known(int? id) => id < vocabulary ? id : null;
        return config with
        {
            VocabSize = vocabulary,
            EmbeddingSize = embedding,
            HeadSize = headSize,
            KvHeadCount = kvHeads,
            HeadCount = kvHeads * group,
            FeedForwardSize = 8 * Math.Max(1, Round((double)config.FeedForwardSize / config.EmbeddingSize * embedding / 8)),
            LayerCount = interval * Math.Max(1, Round(dial * config.LayerCount / interval)),
            SequenceLength = sequenceLength ?? config.SequenceLength,
            BosId = Known(config.BosId),
            EosIds = [.. config.EosIds.Where(id => id < vocabulary)],
            PadId = Known(config.PadId),
        };
    }

    /// <summary>The largest <see cref="Scaled"/> model of at most so many parameters.</summary>
    /// <param name="config">The large model.</param>
    /// <param name="parameters">Most parameters, embeddings included.</param>
    /// <param name="vocabSize">As for <see cref="Scaled"/>.</param>
    /// <param name="sequenceLength">As for <see cref="Scaled"/>.</param>
    /// <exception cref="ArgumentException">Even the smallest has more; the message says how many.</exception>
    public static ModelConfig ScaledTo(this ModelConfig config, long parameters, int? vocabSize = null, int? sequenceLength = null)
    {
        const int Steps = 4096;
        // Sizes move in steps and heads halve, so counts are not quite in order; all dials are few enough to try.
        ModelConfig? best = null;
        for (int step = 1; step <= Steps; step++)
        {
            var candidate = config.Scaled((double)step / Steps, vocabSize, sequenceLength);
            if (candidate.ParameterCount <= parameters && !(best?.ParameterCount >= candidate.ParameterCount)) best = candidate;
        }
        return best ?? throw new ArgumentException(
            $"The smallest model of this shape has {config.Scaled(1.0 / Steps, vocabSize, sequenceLength).ParameterCount} parameters; "
            + $"{parameters} are too few. Take a smaller vocabulary.", nameof(parameters));
    }

    private static int Round(double value) => (int)Math.Round(value, MidpointRounding.AwayFromZero);

    private static ModelPreset Llama(
        string name, double? rate, int layers, int width, int feedForward, int heads, int headSize, double factor, bool tied) => new(
        name, new ModelConfig
        {
            VocabSize = LlamaVocabulary, LayerCount = layers, EmbeddingSize = width, FeedForwardSize = feedForward, HeadCount = heads,
            KvHeadCount = 8, HeadSize = headSize, SequenceLength = 131072, RopeTheta = 5e5,
            RopeScaling = new Llama3Scaling(factor, 1, 4, 8192), TieEmbeddings = tied, BosId = Begin, EosId = End,
        }, rate, 4096, 5e5);

    private static ModelPreset Smol(string name, double? rate, int layers, int width, int feedForward, int heads, int kvHeads) => new(
        name, new ModelConfig
        {
            VocabSize = SmolVocabulary, LayerCount = layers, EmbeddingSize = width, FeedForwardSize = feedForward, HeadCount = heads,
            KvHeadCount = kvHeads, HeadSize = 64, SequenceLength = 8192, RopeTheta = 1e5, TieEmbeddings = true, BosId = 0, EosId = 0,
        }, rate, 2048, 1e4);
}

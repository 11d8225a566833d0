namespace Finery.Data.Classifiers;

/// <summary>How a classifier is trained; the defaults are those of fastText's <c>supervised</c> command, except one thread.</summary>
public sealed record FastTextTrainingSettings
{
    /// <summary>What a label starts with in the file of a model.</summary>
    public const string DefaultLabelPrefix = "__label__";

    internal static ReadOnlySpan<byte> LabelPrefixUtf8 => "__label__"u8;

    /// <summary>How scores become probabilities.</summary>
    public FastTextLoss Loss { get; init; } = FastTextLoss.Softmax;

    /// <summary>Step size at the start; it falls linearly to zero.</summary>
    public double LearningRate { get; init; } = 0.1;

    /// <summary>Tokens a thread reads before the step size follows.</summary>
    public int LearningRateUpdateRate { get; init; } = 100;

    /// <summary>Length of the vectors.</summary>
    public int Dimension { get; init; } = 100;

    /// <summary>Passes over the examples.</summary>
    public int Epochs { get; init; } = 5;

    /// <summary>Words seen less often have no vector of their own.</summary>
    public int MinCount { get; init; } = 1;

    /// <summary>Labels seen less often are left out.</summary>
    public int MinCountLabel { get; init; }

    /// <summary>Labels drawn against each true one, with <see cref="FastTextLoss.NegativeSampling"/>.</summary>
    public int Negatives { get; init; } = 5;

    /// <summary>Longest run of words that has a vector; 1 for single words only.</summary>
    public int WordNgrams { get; init; } = 1;

    /// <summary>Vectors that character and word n-grams share by their hash; 0 where there are none of them.</summary>
    public int Bucket { get; init; } = 2_000_000;

    /// <summary>Shortest character n-gram.</summary>
    public int MinN { get; init; }

    /// <summary>Longest character n-gram; 0 for none.</summary>
    public int MaxN { get; init; }

    /// <summary>Whether the end of a line is a word with a vector of its own, as in fastText. Every text has it, so it is judged by that
    /// alone where nothing else is known; without it an unknown text has no label at all.</summary>
    public bool HasLineEnd { get; init; } = true;

    /// <summary>Threads that update one model without locks (Hogwild). With one, the same examples give the same model, bit for
    /// bit; with more, they do not.</summary>
    public int Threads { get; init; } = 1;

    /// <summary>Of the initial vectors and of what is drawn.</summary>
    public int Seed { get; init; }

    /// <summary>What labels start with in lines of training text.</summary>
    public string LabelPrefix { get; init; } = DefaultLabelPrefix;

    /// <summary>Text file of word vectors (a line with their number and length, then a word and its numbers in each line) that the
    /// words start with; null for none.</summary>
    public string? PretrainedVectors { get; init; }

    /// <summary>What cannot work.</summary>
    public IEnumerable<(string Property, string Message)> Validate()
    {
        if (Dimension is < 1 or > 65536)
            yield return (nameof(Dimension), "is from 1 to 65536");
        if (!(LearningRate > 0) || !double.IsFinite(LearningRate))
            yield return (nameof(LearningRate), "is a positive number");
        if (Epochs < 1)
            yield return (nameof(Epochs), "is at least 1");
        if (Threads < 1)
            yield return (nameof(Threads), "is at least 1");
        if (MinN < 0 || MaxN < 0 || MaxN > 255 || (MaxN > 0 && MinN > MaxN))
            yield return (nameof(MaxN), "is 0, or from MinN to 255");
        if (WordNgrams is < 1 or > 255)
            yield return (nameof(WordNgrams), "is from 1 to 255");
        if (Bucket < (MaxN > 0 || WordNgrams > 1 ? 1 : 0))
            yield return (nameof(Bucket), "is positive where n-grams are used");
        if (LabelPrefix.Length == 0)
            yield return (nameof(LabelPrefix), "is not empty");
    }

    internal ModelArguments ToArguments() => new()
    {
        Dimension = Dimension, Epochs = Epochs, MinCount = MinCount, Negatives = Negatives, WordNgrams = WordNgrams, Loss = Loss,
        Bucket = MaxN > 0 || WordNgrams > 1 ? Bucket : 0, MinN = MinN, MaxN = MaxN, LearningRateUpdateRate = LearningRateUpdateRate,
    };
}

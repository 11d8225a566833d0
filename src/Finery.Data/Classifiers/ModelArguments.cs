namespace Finery.Data.Classifiers;

/// <summary>The settings a fastText file carries, in its order.</summary>
internal sealed record ModelArguments
{
    /// <summary>793712314, the first four bytes.</summary>
    public const int Magic = 793712314;

    /// <summary>The newest version of the layout, the one that is written.</summary>
    public const int Version = 12;

    private const int Supervised = 3;

    // Twenty times what anyone uses; what is longer comes from a damaged file and would cost time without end.
    private const int LongestNgram = 255;

    public int Dimension { get; init; }
    public int WindowSize { get; init; } = 5;
    public int Epochs { get; init; }
    public int MinCount { get; init; }
    public int Negatives { get; init; }
    public int WordNgrams { get; init; }
    public FastTextLoss Loss { get; init; }
    public int Bucket { get; init; }
    public int MinN { get; init; }
    public int MaxN { get; init; }
    public int LearningRateUpdateRate { get; init; }
    public double SamplingThreshold { get; init; } = 1e-4;

    /// <summary>Whether rows beyond the words are used.</summary>
    public bool HasNgrams => MaxN > 0 || WordNgrams > 1;

    public static ModelArguments Read(ModelReader reader)
    {
        if (reader.ReadInt32() != Magic)
            throw reader.Bad("this is no fastText model (the first four bytes are not 793712314)");
        var version = reader.ReadInt32();
        if (version is not (11 or Version))
            throw reader.Bad($"version {version} of the layout is not known, only 11 and 12");
        int dimension = reader.ReadInt32(), window = reader.ReadInt32(), epochs = reader.ReadInt32();
        int minCount = reader.ReadInt32(), negatives = reader.ReadInt32(), wordNgrams = reader.ReadInt32();
        int loss = reader.ReadInt32(), model = reader.ReadInt32(), bucket = reader.ReadInt32();
        int minN = reader.ReadInt32(), maxN = reader.ReadInt32(), updateRate = reader.ReadInt32();
        if (model != Supervised)
            throw reader.Bad($"model kind {model} is not supervised (3): word vectors classify nothing");
        var arguments = new ModelArguments
        {
            Dimension = dimension, WindowSize = window, Epochs = epochs, MinCount = minCount, Negatives = negatives,
            WordNgrams = wordNgrams, Loss = (FastTextLoss)loss, Bucket = bucket, MinN = minN,
            // Supervised models of version 11 were trained without character n-grams, whatever the field says.
            MaxN = version == 11 ? 0 : maxN, LearningRateUpdateRate = updateRate, SamplingThreshold = reader.ReadDouble(),
        };
        arguments.Check(reader);
        return arguments;
    }

    public void Write(BinaryWriter writer)
    {
        ReadOnlySpan<int> fields =
        [
            Magic, Version, Dimension, WindowSize, Epochs, MinCount, Negatives, WordNgrams, (int)Loss, Supervised, Bucket, MinN,
            MaxN, LearningRateUpdateRate,
        ];
        foreach (var field in fields)
            writer.Write(field);
        writer.Write(SamplingThreshold);
    }

    private void Check(ModelReader reader)
    {
        if (Dimension <= 0)
            throw reader.Bad($"dimension {Dimension} is not positive");
        if (!Enum.IsDefined(Loss))
            throw reader.Bad($"loss {(int)Loss} is not known, only 1 (hs), 2 (ns), 3 (softmax), 4 (ova)");
        if (MinN < 0 || MaxN is < 0 or > LongestNgram || WordNgrams is < 0 or > LongestNgram)
            throw reader.Bad(
                $"n-grams of minn {MinN}, maxn {MaxN}, wordNgrams {WordNgrams} are not possible (0 to {LongestNgram})");
        if (Bucket < 0 || (Bucket == 0 && HasNgrams))
            throw reader.Bad($"{Bucket} buckets do not go with n-grams (maxn {MaxN}, wordNgrams {WordNgrams})");
    }
}

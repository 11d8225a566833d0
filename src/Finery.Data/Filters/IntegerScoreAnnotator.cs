namespace Finery.Data.Filters;

/// <summary>
/// Writes the whole number a classifier's score stands for, as FineWeb-Edu does: <c>int_score = round(clamp(score, 0, 5))</c>,
/// halves to the even neighbour. A document without a score is left as it is.
/// </summary>
public sealed record IntegerScoreAnnotator : DocumentFilter
{
    /// <summary>Key of the score.</summary>
    public string ScoreKey { get; init; } = "score";

    /// <summary>Key of the whole number.</summary>
    public string Key { get; init; } = "int_score";

    /// <summary>Highest score; the lowest is 0.</summary>
    public double MaxScore { get; init; } = 5;

    /// <inheritdoc/>
    public override void Apply(WorkingDocument document)
    {
        if (MetadataFilter.NumberOf(document.Document.Metadata[ScoreKey]) is { } score)
            document.SetMetadata(Key, (int)Math.Round(Math.Clamp(score, 0, MaxScore), MidpointRounding.ToEven));
    }
}

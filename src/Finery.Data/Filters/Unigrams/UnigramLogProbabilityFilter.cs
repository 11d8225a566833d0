namespace Finery.Data.Filters.Unigrams;

/// <summary>
/// Drops documents of rare words, as peS2o does: the mean natural logarithm of the words' frequencies must be above a
/// threshold. Words that are not in the table count as <see cref="UnknownFrequency"/>. Reason <c>unigram_log_prob</c>.
/// </summary>
/// <remarks>The published threshold belongs to a table of a trillion words of the web without punctuation (<c>word,count</c>
/// lines, which
/// <see cref="TableFile"/> takes). With the bundled table English texts score from -10 to -7, German ones from -14 to
/// -11.</remarks>
public sealed record UnigramLogProbabilityFilter : DocumentFilter
{
    private OnDemand<UnigramTable> _table;

    /// <summary>What the mean must exceed.</summary>
    public double Threshold { get; init; } = -10;

    /// <summary>Frequency of words that are not in the table.</summary>
    public double UnknownFrequency { get; init; } = 1e-9;

    /// <summary>A table as <see cref="UnigramTable"/> writes it; none for the bundled English one.</summary>
    public string? TableFile { get; init; }

    /// <inheritdoc/>
    public override void Apply(WorkingDocument document)
    {
        var table = _table.Get(this, static s => s.TableFile is { } file ? UnigramTable.Load(file) : UnigramTable.English);
        var words = document.View.Words;
        double sum = 0;
        foreach (var range in words)
        {
            var frequency = table.Frequency(document.Text.AsSpan(range));
            sum += Math.Log(frequency > 0 ? frequency : UnknownFrequency);
        }
        // Equal is not above.
        document.RejectBelow("unigram_log_prob", words.Count == 0 ? 0 : sum / words.Count, Math.BitIncrement(Threshold));
    }
}

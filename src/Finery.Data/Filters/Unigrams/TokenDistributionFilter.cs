using System.Runtime.InteropServices;

namespace Finery.Data.Filters.Unigrams;

/// <summary>
/// Drops documents whose words are distributed unlike the corpus's, as Llama 3 does with an excess of outlier tokens: the
/// Kullback-Leibler divergence of the document's word frequencies from the corpus's, in nats, must not exceed a threshold. Reason
/// <c>token_distribution</c>. The threshold was never published; that here is Finery's.
/// </summary>
public sealed record TokenDistributionFilter : DocumentFilter
{
    private OnDemand<UnigramTable> _table;

    /// <summary>Largest divergence, in nats. With the bundled table, English texts of 50 words and more have 1 to 7, German
    /// ones 8 to 10.</summary>
    public double MaxDivergence { get; init; } = 7;

    /// <summary>Fewest words to judge by: a short text always diverges.</summary>
    public int MinWords { get; init; } = 50;

    /// <summary>Frequency of words that are not in the table.</summary>
    public double UnknownFrequency { get; init; } = 1e-9;

    /// <summary>A table of the corpus as <see cref="UnigramTable"/> writes it; none for the bundled English one.</summary>
    public string? TableFile { get; init; }

    /// <inheritdoc/>
    public override void Apply(WorkingDocument document)
    {
        var table = _table.Get(this, static s => s.TableFile is { } file ? UnigramTable.Load(file) : UnigramTable.English);
        if (document.View.Words.Count >= MinWords)
            document.RejectAbove("token_distribution", Divergence(document, table), MaxDivergence);
    }

    private double Divergence(WorkingDocument document, UnigramTable table)
    {
        var counts = new Dictionary<string, int>(StringComparer.OrdinalIgnoreCase);
        var lookup = counts.GetAlternateLookup<ReadOnlySpan<char>>();
        var order = new List<Range>();
        var words = document.View.Words;
        foreach (var range in words)
        {
            ref var count = ref CollectionsMarshal.GetValueRefOrAddDefault(lookup, document.Text.AsSpan(range), out var exists);
            count++;
            if (!exists)
                order.Add(range);
        }
        double divergence = 0;
        foreach (var range in order)
        {
            var word = document.Text.AsSpan(range);
            var share = lookup[word] / (double)words.Count;
            var frequency = table.Frequency(word);
            divergence += share * Math.Log(share / (frequency > 0 ? frequency : UnknownFrequency));
        }
        return divergence;
    }
}

using System.Runtime.InteropServices;
using Finery.Data.Deduplication;

namespace Finery.Data.Filters;

/// <summary>
/// Drops documents much of which repeats itself in short runs of words, as Llama 3 does: logs and error dumps whose lines are
/// each unique. Reason <c>ngram_coverage</c>. The thresholds were never published; those here are Finery's.
/// </summary>
public sealed record NGramCoverageFilter : DocumentFilter
{
    private readonly int _nGramSize = 5;

    /// <summary>Words in a run.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Less than 1.</exception>
    public int NGramSize
    {
        get => _nGramSize;
        init
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1);
            _nGramSize = value;
        }
    }

    /// <summary>Largest share of words that stand in a run which occurs more than once, all its occurrences counted.</summary>
    public double MaxCoverage { get; init; } = 0.6;

    /// <inheritdoc/>
    public override void Apply(WorkingDocument document) =>
        document.RejectAbove("ngram_coverage", Coverage(document.Text, document.View.Words, NGramSize), MaxCoverage);

    internal static double Coverage(string text, List<Range> words, int n)
    {
        if (words.Count < n)
            return 0;
        // A rolling polynomial over hashes of words: the hash of a run takes constant time however long it is.
        const ulong radix = 0x9E3779B97F4A7C15;
        ulong power = 1, hash = 0;
        for (var i = 0; i < n; i++)
            power *= radix;
        var hashes = new ulong[words.Count];
        var first = new Dictionary<ulong, int>(words.Count);
        var covered = new bool[words.Count];
        int count = 0, marked = 0;
        for (var i = 0; i < words.Count; i++)
        {
            hashes[i] = XxHash64.Hash(MemoryMarshal.AsBytes(text.AsSpan(words[i])));
            hash = hash * radix + hashes[i] - (i >= n ? hashes[i - n] * power : 0);
            if (i < n - 1)
                continue;
            var start = i - n + 1;
            ref var seen = ref CollectionsMarshal.GetValueRefOrAddDefault(first, hash, out var exists);
            if (!exists)
            {
                seen = start;
                continue;
            }
            if (seen >= 0)
            {
                Mark(seen, seen);
                seen = -1;
            }
            // What lies before the last word marked is marked already, as runs come in order.
            Mark(start, Math.Max(start, marked));
            marked = start + n;
        }
        return (double)count / words.Count;

        void Mark(int start, int from)
        {
            for (var k = from; k < start + n; k++)
            {
                count += covered[k] ? 0 : 1;
                covered[k] = true;
            }
        }
    }
}

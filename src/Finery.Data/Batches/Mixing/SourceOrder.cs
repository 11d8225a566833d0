namespace Finery.Data.Batches.Mixing;

/// <summary>
/// Which source each sample of a phase comes from, from any sample on. The sources are a chain: of the n samples that the ones
/// before leave, source k takes round(n f_k), where f_k is its weight over the sum of its own and all later weights. That is
/// monotone in n and adds up exactly, so the counts of all sources before a sample are K integer operations; each is within K /
/// 2 of its exact share. Inside windows of 256 samples a seeded shuffle then decides which sample is whose, so that a rare
/// source is not seen at every so-many-th step.
/// </summary>
internal sealed class SourceOrder
{
    /// <summary>Samples of a window.</summary>
    public const int Window = 256;

    private const int FractionBits = 62;

    private readonly ulong[] _fractions; // f_k in units of 2^-62
    private readonly long _samples;
    private readonly ulong _seed;

    /// <param name="weights">Not negative, of finite and positive sum.</param>
    /// <param name="samples">Samples of the phase: no window reaches across, so that their counts are exact. There is no end
    /// after them.</param>
    /// <param name="seed">Decides the order within windows.</param>
    public SourceOrder(IReadOnlyList<double> weights, long samples, ulong seed)
    {
        (_fractions, _samples, _seed) = (new ulong[weights.Count], samples, seed);
        double rest = 0;
        for (int k = weights.Count - 1; k >= 0; k--)
        {
            rest += weights[k];
            if (weights[k] > 0) _fractions[k] = (ulong)(weights[k] / rest * (1UL << FractionBits));
        }
    }

    /// <summary>Looks up the window that holds <paramref name="sample"/>.</summary>
    /// <param name="sample">Number of a sample, from 0.</param>
    /// <param name="sources">[<see cref="Window"/>] sources of the window's samples, its first on.</param>
    /// <param name="counts">[K] how many samples before <paramref name="sample"/> each source has had: its next is that
    /// number.</param>
    /// <returns>Where in the window the sample is, and the window's length.</returns>
    public (int Index, int Length) Find(long sample, Span<int> sources, Span<long> counts)
    {
        (long first, int length) = WindowOf(sample);
        long rest = first, restAfter = first + length;
        int filled = 0;
        for (int k = 0; k < _fractions.Length; k++)
        {
            counts[k] = Taken(k, rest);
            long after = Taken(k, restAfter);
            int own = (int)(after - counts[k]);
            sources.Slice(filled, own).Fill(k);
            filled += own;
            rest -= counts[k];
            restAfter -= after;
        }
        ulong seed = SeededHash.Mix(_seed, (ulong)first);
        for (int i = length - 1; i > 0; i--) // Fisher and Yates's shuffle
        {
            int j = (int)SeededHash.Below(SeededHash.Mix(seed, (ulong)i), i + 1);
            (sources[i], sources[j]) = (sources[j], sources[i]);
        }
        int index = (int)(sample - first);
        for (int i = 0; i < index; i++) counts[sources[i]]++;
        return (index, length);
    }

    /// <summary>How many samples before <paramref name="sample"/> each source has had.</summary>
    public void CountBefore(long sample, Span<long> counts)
    {
        Span<int> sources = stackalloc int[Window];
        Find(sample, sources, counts);
    }

    private (long First, int Length) WindowOf(long sample)
    {
        if (sample >= _samples) return (sample - ((sample - _samples) % Window), Window);
        long first = sample - (sample % Window);
        return (first, (int)Math.Min(Window, _samples - first));
    }

    /// <summary>round(n f_k), halves up.</summary>
    private long Taken(int k, long n)
    {
        ulong high = Math.BigMul((ulong)n, _fractions[k], out ulong low);
        ulong rounded = low + (1UL << (FractionBits - 1));
        if (rounded < low) high++;
        return (long)((high << (64 - FractionBits)) | (rounded >> FractionBits));
    }
}

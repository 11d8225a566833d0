namespace Finery.Data.Batches;

/// <summary>A prompt with a better and a worse completion.</summary>
/// <param name="Prompt">Ids up to and including the header of the reply.</param>
/// <param name="Chosen">Ids of the better reply, its end token included.</param>
/// <param name="Rejected">Ids of the worse reply, its end token included.</param>
public sealed record PreferenceExample(int[] Prompt, int[] Chosen, int[] Rejected);

/// <summary>Where the model predicts a completion: the targets at flat positions [Start, End) are its ids, end token included.
/// The sum of their log-probabilities is that of the completion.</summary>
/// <param name="Start">Flat index of the token before the completion.</param>
/// <param name="End">Flat index of the completion's last token.</param>
public readonly record struct CompletionSpan(int Start, int End)
{
    /// <summary>Tokens of the completion.</summary>
    public int Length => End - Start;
}

/// <summary>A batch of preference pairs: one row, in which each prompt + completion is a segment.</summary>
/// <param name="length">N: tokens of the row.</param>
/// <param name="pairs">P: pairs of the batch.</param>
public sealed class PreferenceBatch(int length, int pairs) : PackedBatch(1, length)
{
    /// <summary>[P] completions preferred.</summary>
    public CompletionSpan[] Chosen { get; } = new CompletionSpan[pairs];

    /// <summary>[P] the worse completion of each pair.</summary>
    public CompletionSpan[] Rejected { get; } = new CompletionSpan[pairs];

    /// <summary>[P] index of each pair in the list of examples.</summary>
    public int[] Examples { get; } = new int[pairs];
}

/// <summary>
/// Batches of preference pairs, as one row of fixed size N: chosen and rejected sequence of each pair one after the other,
/// padding at the end. N is the most that P consecutive pairs of any order can take. Completions are cut to keep a sequence
/// within the maximum; pairs whose prompt alone reaches it, or with an empty completion, are dropped (TRL's rule for
/// DPO). Only completion tokens are targets.
/// </summary>
public sealed class PreferenceBatches : IBatchSource
{
    private readonly IReadOnlyList<PreferenceExample> _examples;
    private readonly int[] _kept;
    private readonly int _maxLength, _pairs, _padId;
    private readonly ulong _seed;

    /// <param name="examples">Held in memory; must not change.</param>
    /// <param name="maxLength">Most tokens of prompt and completion together.</param>
    /// <param name="pairsPerBatch">P.</param>
    /// <param name="seed">Decides the order of pairs, new in each epoch.</param>
    /// <param name="padId">Id of padding tokens.</param>
    /// <exception cref="InvalidDataException">No pair is left, or a prompt is empty.</exception>
    public PreferenceBatches(
        IReadOnlyList<PreferenceExample> examples, int maxLength, int pairsPerBatch, ulong seed, int padId = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(maxLength);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(pairsPerBatch);
        (_examples, _maxLength, _pairs, _seed, _padId) = (examples, maxLength, pairsPerBatch, seed, padId);
        var kept = new List<int>();
        var sizes = new List<int>();
        for (int i = 0; i < examples.Count; i++)
        {
            (int[] prompt, int[] chosen, int[] rejected) = examples[i];
            if (prompt.Length == 0)
                throw new InvalidDataException($"Preference pair {i} has an empty prompt; it needs at least a begin token.");
            if (prompt.Length >= maxLength || chosen.Length == 0 || rejected.Length == 0) continue;
            int chosenSize = Math.Min(prompt.Length + chosen.Length, maxLength);
            int rejectedSize = Math.Min(prompt.Length + rejected.Length, maxLength);
            if (chosenSize + rejectedSize < (2 * prompt.Length) + chosen.Length + rejected.Length) Truncated++;
            kept.Add(i);
            sizes.Add(chosenSize + rejectedSize);
        }
        if (kept.Count == 0)
            throw new InvalidDataException(
                $"None of the {examples.Count} preference pairs fits {maxLength} tokens with two completions.");
        _kept = [.. kept];
        Dropped = examples.Count - kept.Count;

        // a batch may span epochs, so a pair can come more than once
        int times = _kept.Length % pairsPerBatch == 0 ? 1 : ((pairsPerBatch - 1) / _kept.Length) + 2;
        sizes.Sort((x, y) => y.CompareTo(x));
        long total = Enumerable.Range(0, pairsPerBatch).Sum(i => (long)sizes[i / times]);
        Length = checked((int)((total + 15) / 16 * 16));
        Fingerprint = SourceFingerprint.Of(
            "preferences", SourceFingerprint.OfIds(
                examples.SelectMany(pair => new[] { pair.Prompt, pair.Chosen, pair.Rejected })),
            seed, maxLength, pairsPerBatch, padId);
    }

    /// <inheritdoc/>
    public int Rows => 1;

    /// <inheritdoc/>
    public int Length { get; }

    /// <inheritdoc/>
    public string Fingerprint { get; }

    /// <summary>P: pairs of a batch.</summary>
    public int PairsPerBatch => _pairs;

    /// <summary>Pairs of one epoch.</summary>
    public int PairsPerEpoch => _kept.Length;

    /// <summary>Pairs of which a completion was cut.</summary>
    public int Truncated { get; }

    /// <summary>Pairs left out.</summary>
    public int Dropped { get; }

    /// <inheritdoc/>
    public PackedBatch CreateBatch() => new PreferenceBatch(Length, _pairs);

    /// <inheritdoc/>
    public double EpochAt(long step) => (double)step * _pairs / _kept.Length;

    /// <inheritdoc/>
    public void Fill(long step, PackedBatch batch)
    {
        SourceFingerprint.CheckFill(this, step, batch);
        if (batch is not PreferenceBatch pairs || pairs.Chosen.Length != _pairs)
            throw new ArgumentException(
                $"Preference pairs need a {nameof(PreferenceBatch)} of {_pairs} pairs; use {nameof(CreateBatch)}.");
        int at = 0;
        for (int i = 0; i < _pairs; i++)
        {
            (long epoch, long index) = Math.DivRem(checked((step * _pairs) + i), _kept.Length);
            int number = _kept[new SeededPermutation(_kept.Length, SeededHash.Mix(_seed, (ulong)epoch))[index]];
            (int[] prompt, int[] chosen, int[] rejected) = _examples[number];
            pairs.Examples[i] = number;
            pairs.Chosen[i] = Add(batch, ref at, prompt, chosen);
            pairs.Rejected[i] = Add(batch, ref at, prompt, rejected);
        }
        batch.SetPadding(at, Length, _padId);
        batch.SetWeights();
    }

    private CompletionSpan Add(PackedBatch batch, ref int at, int[] prompt, int[] completion)
    {
        int start = at, count = Math.Min(completion.Length, _maxLength - prompt.Length), body = at + prompt.Length;
        prompt.CopyTo(batch.Ids, at);
        completion.AsSpan(0, count).CopyTo(batch.Ids.AsSpan(body));
        at = body + count;
        batch.Targets.AsSpan(start, at - start).Fill(-1);
        completion.AsSpan(0, count).CopyTo(batch.Targets.AsSpan(body - 1));
        batch.SetSegment(start, at);
        return new CompletionSpan(body - 1, at - 1);
    }
}

namespace Finery.Data.Batches;

/// <summary>
/// Windows of T tokens cut from the whole corpus, in a new random order each epoch. The corpus is taken as a circle of N
/// tokens; epoch e cuts it into floor(N / T) windows from an offset hashed from (seed, e), and visits them in a seeded
/// permutation that needs no memory. So a token is seen at most once per epoch, all but N mod T are, and borders move between
/// epochs. Each document in a window is a segment of its own; a document cut by the window's start begins anew there. The last
/// token's target is the next token of the corpus, if of the same document.
/// </summary>
public sealed class PretrainingBatches : IBatchSource
{
    private readonly TokenShards _shards;
    private readonly ulong _seed;
    private readonly long _windows;

    /// <param name="shards">The corpus; it must stay open.</param>
    /// <param name="sequenceLength">T.</param>
    /// <param name="sequencesPerBatch">Rows of a batch.</param>
    /// <param name="seed">Decides offsets and order.</param>
    /// <exception cref="InvalidDataException">The corpus has fewer than T tokens.</exception>
    public PretrainingBatches(TokenShards shards, int sequenceLength, int sequencesPerBatch, ulong seed)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(sequenceLength);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(sequencesPerBatch);
        (_shards, Length, Rows, _seed) = (shards, sequenceLength, sequencesPerBatch, seed);
        _windows = shards.TokenCount / sequenceLength;
        if (_windows == 0)
            throw new InvalidDataException($"The corpus has {shards.TokenCount} tokens, fewer than one sequence of " +
                $"{sequenceLength}. Use more text or shorter sequences.");
        Fingerprint = SourceFingerprint.Of("pretraining", shards.Manifest.ToJson(), seed, Length, Rows);
    }

    /// <inheritdoc/>
    public int Rows { get; }

    /// <inheritdoc/>
    public int Length { get; }

    /// <inheritdoc/>
    public string Fingerprint { get; }

    /// <summary>Sequences of one epoch.</summary>
    public long SequencesPerEpoch => _windows;

    /// <inheritdoc/>
    public PackedBatch CreateBatch() => new(Rows, Length);

    /// <inheritdoc/>
    public double EpochAt(long step) => (double)step * Rows / _windows;

    /// <inheritdoc/>
    public void Fill(long step, PackedBatch batch)
    {
        SourceFingerprint.CheckFill(this, step, batch);
        for (int row = 0; row < Rows; row++)
            DocumentRows.FillWindow(_shards, WindowStart(checked((step * Rows) + row)), batch, row, masked: true);
        batch.SetWeights();
    }

    /// <summary>First token of the window that is number <paramref name="sequence"/> in order of visit over all epochs.</summary>
    internal long WindowStart(long sequence)
    {
        (long epoch, long index) = Math.DivRem(sequence, _windows);
        ulong epochSeed = SeededHash.Mix(_seed, (ulong)epoch);
        long offset = SeededHash.Below(SeededHash.Mix(epochSeed, 1), Length);
        long window = new SeededPermutation(_windows, epochSeed)[index];
        return (offset + (window * Length)) % _shards.TokenCount;
    }
}

namespace Finery.Data.Batches;

/// <summary>Tokens to learn from, and which of them a model is trained to produce.</summary>
/// <param name="Ids">Token ids.</param>
/// <param name="Trained">Same length; true for tokens whose loss counts. The first token is never predicted.</param>
public sealed record TrainingExample(int[] Ids, bool[] Trained);

/// <summary>
/// Batches for supervised finetuning: whole examples packed into rows of T tokens by <see cref="BestFitPacking"/>, each a segment
/// of its own, the rest of a row padded. Examples longer than T keep their first T tokens; those with nothing left to learn are
/// dropped. Rows are visited in a new random order each epoch, epochs following one another without a gap.
/// </summary>
public sealed class PackedExamples : IBatchSource
{
    private readonly IReadOnlyList<TrainingExample> _examples;
    private readonly IReadOnlyList<IReadOnlyList<int>> _rows;
    private readonly ulong _seed;
    private readonly int _padId;

    /// <param name="examples">Held in memory; must not change.</param>
    /// <param name="length">T.</param>
    /// <param name="rowsPerBatch">Rows of a batch.</param>
    /// <param name="seed">Decides the order of rows.</param>
    /// <param name="padId">Id of padding tokens, which are never a target.</param>
    /// <exception cref="InvalidDataException">No example is left, or one is inconsistent.</exception>
    public PackedExamples(IReadOnlyList<TrainingExample> examples, int length, int rowsPerBatch, ulong seed, int padId = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(rowsPerBatch);
        (_examples, Length, Rows, _seed, _padId) = (examples, length, rowsPerBatch, seed, padId);
        var lengths = new int[examples.Count];
        for (int i = 0; i < lengths.Length; i++)
        {
            (int[] ids, bool[] trained) = examples[i];
            if (ids.Length != trained.Length)
                throw new InvalidDataException($"Example {i} has {ids.Length} ids, but {trained.Length} training marks.");
            int kept = Math.Min(ids.Length, length);
            bool hasTarget = kept > 1 && trained.AsSpan(1, kept - 1).Contains(true);
            if (!hasTarget) Dropped++;
            else if (kept < ids.Length) Truncated++;
            lengths[i] = hasTarget ? kept : 0;
            TokensPerEpoch += lengths[i];
        }
        _rows = BestFitPacking.Pack(lengths, length);
        if (_rows.Count == 0)
            throw new InvalidDataException($"None of the {examples.Count} examples has a token to learn within {length} tokens. " +
                "Use longer sequences, or check which tokens are marked as trained.");
        Fingerprint = SourceFingerprint.Of(
            "examples", SourceFingerprint.OfIds(examples.Select(example => example.Ids)),
            SourceFingerprint.OfIds(examples.Select(example => Array.ConvertAll(example.Trained, Convert.ToInt32))),
            seed, length, rowsPerBatch, padId);
    }

    /// <inheritdoc/>
    public int Rows { get; }

    /// <inheritdoc/>
    public int Length { get; }

    /// <inheritdoc/>
    public string Fingerprint { get; }

    /// <summary>Examples cut to T tokens.</summary>
    public int Truncated { get; }

    /// <summary>Examples left out, as no token to learn was within T.</summary>
    public int Dropped { get; }

    /// <summary>Rows of one epoch.</summary>
    public int RowsPerEpoch => _rows.Count;

    /// <summary>Tokens of examples in one epoch, padding not counted.</summary>
    public long TokensPerEpoch { get; }

    /// <inheritdoc/>
    public PackedBatch CreateBatch() => new(Rows, Length);

    /// <inheritdoc/>
    public double EpochAt(long step) => (double)step * Rows / _rows.Count;

    /// <inheritdoc/>
    public void Fill(long step, PackedBatch batch)
    {
        SourceFingerprint.CheckFill(this, step, batch);
        for (int row = 0; row < Rows; row++)
        {
            (long epoch, long index) = Math.DivRem(checked((step * Rows) + row), _rows.Count);
            long visited = new SeededPermutation(_rows.Count, SeededHash.Mix(_seed, (ulong)epoch))[index];
            FillRow(batch, row * Length, _rows[(int)visited]);
        }
        batch.SetWeights();
    }

    private void FillRow(PackedBatch batch, int at, IReadOnlyList<int> items)
    {
        int end = at + Length;
        // By index: an enumerator behind an interface is an allocation per row of every step.
        for (int item = 0; item < items.Count; item++)
        {
            (int[] ids, bool[] trained) = _examples[items[item]];
            int count = Math.Min(ids.Length, Length);
            ids.AsSpan(0, count).CopyTo(batch.Ids.AsSpan(at));
            for (int i = 0; i < count; i++) batch.Targets[at + i] = i + 1 < count && trained[i + 1] ? ids[i + 1] : -1;
            batch.SetSegment(at, at + count);
            at += count;
        }
        batch.SetPadding(at, end, _padId);
    }
}

using System.Numerics;

namespace Finery.Data.Batches;

/// <summary>
/// The tokens of one step: R rows of T tokens, flat (token t of row r at r * T + t), in arrays that are filled anew for each
/// step. A row holds one or more segments (documents, examples, or padding); a token sees only its own segment up to itself.
/// </summary>
/// <param name="rows">R.</param>
/// <param name="length">T.</param>
public class PackedBatch(int rows, int length)
{
    /// <summary>R: rows.</summary>
    public int Rows { get; } = Positive(rows, nameof(rows));

    /// <summary>T: tokens of a row.</summary>
    public int Length { get; } = Positive(length, nameof(length));

    /// <summary>N = R * T.</summary>
    public int Count => Ids.Length;

    /// <summary>[N] token ids.</summary>
    public int[] Ids { get; } = new int[checked(rows * length)];

    /// <summary>[N] position within the segment, from 0.</summary>
    public int[] Positions { get; } = new int[rows * length];

    /// <summary>[N] flat index of the first token of the token's segment; never before the start of its row.</summary>
    public int[] Starts { get; } = new int[rows * length];

    /// <summary>[N] the id to predict at each token, the next one of its document; -1 where there is none to learn.</summary>
    public int[] Targets { get; } = new int[rows * length];

    /// <summary>[N] weight of each token's loss: 1 / <see cref="TargetCount"/>, or 0 where there is no target. They sum to 1, so
    /// that micro-batches add up to the mean loss of the step.</summary>
    public float[] Weights { get; } = new float[rows * length];

    /// <summary>[R] number of the source each row was taken from; 0 where there is but one.</summary>
    public int[] Sources { get; } = new int[rows];

    /// <summary>Number of targets in the whole step.</summary>
    public int TargetCount { get; private set; }

    /// <summary>Writes starts and positions of the segment [<paramref name="start"/>, <paramref name="end"/>).</summary>
    internal void SetSegment(int start, int end)
    {
        Starts.AsSpan(start, end - start).Fill(start);
        Span<int> positions = Positions.AsSpan(start, end - start);
        for (int i = 0; i < positions.Length; i++) positions[i] = i;
    }

    /// <summary>Makes each token of [<paramref name="start"/>, <paramref name="end"/>) a segment of its own: padding then costs no attention,
    /// and its positions stay within any model's context.</summary>
    internal void SetPadding(int start, int end, int padId)
    {
        Ids.AsSpan(start, end - start).Fill(padId);
        Targets.AsSpan(start, end - start).Fill(-1);
        for (int i = start; i < end; i++) (Starts[i], Positions[i]) = (i, 0);
    }

    /// <summary>Counts targets and sets the weights, once all else is filled.</summary>
    internal void SetWeights()
    {
        // Vectors, as this goes over all tokens of every step.
        int count = 0, i = 0;
        for (; i <= Targets.Length - Vector<int>.Count; i += Vector<int>.Count)
            count -= Vector.Sum(Vector.GreaterThanOrEqual(new Vector<int>(Targets, i), Vector<int>.Zero));
        for (; i < Targets.Length; i++) count += Targets[i] >= 0 ? 1 : 0;
        TargetCount = count;
        float weight = count == 0 ? 0 : 1f / count;
        var weights = new Vector<float>(weight);
        for (i = 0; i <= Targets.Length - Vector<int>.Count; i += Vector<int>.Count)
        {
            Vector<int> learned = Vector.GreaterThanOrEqual(new Vector<int>(Targets, i), Vector<int>.Zero);
            Vector.ConditionalSelect(learned, weights, Vector<float>.Zero).CopyTo(Weights, i);
        }
        for (; i < Targets.Length; i++) Weights[i] = Targets[i] >= 0 ? weight : 0;
    }

    private static int Positive(int value, string name) =>
        value > 0 ? value : throw new ArgumentOutOfRangeException(name, value, "A batch needs at least one row and one token.");
}

/// <summary>Batches as a pure function of (data, seed, step): resuming at a step is filling it, whatever came before. Safe to
/// call from several threads with different batches.</summary>
public interface IBatchSource
{
    /// <summary>R: rows of a batch.</summary>
    int Rows { get; }

    /// <summary>T: tokens of a row.</summary>
    int Length { get; }

    /// <summary>A name for data, settings and seed, equal only if all batches are equal: a checkpoint keeps it, so that a run is
    /// never continued on other data unnoticed.</summary>
    string Fingerprint { get; }

    /// <summary>An empty batch of the right kind and shape for <see cref="Fill"/>.</summary>
    PackedBatch CreateBatch();

    /// <summary>Fills <paramref name="batch"/> with the batch of <paramref name="step"/> (from 0, without end).</summary>
    /// <exception cref="ArgumentException">The batch has another shape or kind, or the step is negative.</exception>
    void Fill(long step, PackedBatch batch);

    /// <summary>How many times the data has been seen before <paramref name="step"/>: 1.5 is half way through the second
    /// epoch.</summary>
    double EpochAt(long step);
}

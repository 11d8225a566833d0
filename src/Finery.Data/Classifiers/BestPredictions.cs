using System.Runtime.CompilerServices;

namespace Finery.Data.Classifiers;

/// <summary> The k best labels, kept as a heap whose top is the worst. Which of equal scores survive, and in what order, depends
/// on how the heap moves its elements; this one moves them as GNU's C++ library does, for the answers to be fastText's.
/// </summary>
internal sealed class BestPredictions
{
    private (float Score, int Label, float Output)[] _heap = new (float, int, float)[8];
    private int _limit;

    public int Count { get; private set; }

    /// <summary>Score (natural logarithm) and label at a place.</summary>
    public (float Score, int Label) this[int index] => (_heap[index].Score, _heap[index].Label);

    public void Start(int limit)
    {
        Count = 0;
        _limit = limit;
    }

    /// <summary>Whether a score would not enter.</summary>
    public bool IsTooLow(float score) => Count == _limit && score < _heap[0].Score;

    /// <summary>ln(x + 1e-5), in double and rounded.</summary>
    public static float Log(float x) => (float)Math.Log(x + 1e-5);

    /// <summary>Offers every label whose output reaches the threshold.</summary>
    public void AddOutputs(ReadOnlySpan<float> outputs, float threshold)
    {
        for (var i = 0; i < outputs.Length; i++)
        {
            // The second test spares a logarithm: a thousandth below the worst, rounding cannot make the scores equal.
            if (outputs[i] < threshold || (Count == _limit && outputs[i] + 1e-5f < 0.999f * (_heap[0].Output + 1e-5f)))
                continue;
            var score = Log(outputs[i]);
            if (!IsTooLow(score))
                Add(score, i, outputs[i]);
        }
    }

    public void Add(float score, int label, float output = 0)
    {
        if (Count == _heap.Length)
            Array.Resize(ref _heap, 2 * Count);
        _heap[Count] = (score, label, output);
        Up(Count, (score, label, output));
        if (++Count > _limit)
        {
            Pop(Count);
            Count--;
        }
    }

    /// <summary>Puts the best first; afterwards this is no heap any more.</summary>
    public void Sort()
    {
        for (var length = Count; length > 1; length--)
            Pop(length);
    }

    // Moves the worst of the first so many elements behind the others.
    private void Pop(int length)
    {
        if (length < 2)
            return;
        var last = length - 1;
        var value = _heap[last];
        _heap[last] = _heap[0];
        var hole = 0;
        var child = 0;
        while (child < (last - 1) / 2)
        {
            child = 2 * (child + 1);
            if (IsBetter(_heap[child], _heap[child - 1]))
                child--;
            _heap[hole] = _heap[child];
            hole = child;
        }
        if ((last & 1) == 0 && child == (last - 2) / 2)
        {
            child = 2 * (child + 1);
            _heap[hole] = _heap[child - 1];
            hole = child - 1;
        }
        Up(hole, value);
    }

    private void Up(int hole, (float Score, int Label, float Output) value)
    {
        for (var parent = (hole - 1) / 2; hole > 0 && IsBetter(_heap[parent], value); parent = (hole - 1) / 2)
        {
            _heap[hole] = _heap[parent];
            hole = parent;
        }
        _heap[hole] = value;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsBetter((float Score, int Label, float Output) left, (float Score, int Label, float Output) right) =>
        left.Score > right.Score;
}

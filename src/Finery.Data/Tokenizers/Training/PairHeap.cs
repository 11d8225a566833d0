namespace Finery.Data.Tokenizers;

/// <summary>Pairs with the counts they had when pushed, most frequent first, ties by smaller (left id, right id): a heap of four
/// children a node.</summary>
internal sealed class PairHeap
{
    private (long Count, ulong Pair)[] _nodes = new (long, ulong)[1 << 12];
    private int _count;

    public bool IsEmpty => _count == 0;

    public (long Count, ulong Pair) Top => _nodes[0];

    public void Push(long count, ulong pair)
    {
        if (_count == _nodes.Length) Array.Resize(ref _nodes, _count * 2);
        int at = _count++;
        for (; at > 0 && Precedes((count, pair), _nodes[(at - 1) / 4]); at = (at - 1) / 4) _nodes[at] = _nodes[(at - 1) / 4];
        _nodes[at] = (count, pair);
    }

    public void Pop()
    {
        if (--_count > 0) Sink(_nodes[_count]);
    }

    /// <summary>Gives the top its present count, which is lower.</summary>
    public void LowerTop(long count) => Sink((count, _nodes[0].Pair));

    private void Sink((long Count, ulong Pair) node)
    {
        int at = 0;
        while ((4 * at) + 1 < _count)
        {
            int best = (4 * at) + 1, end = Math.Min(best + 4, _count);
            for (int child = best + 1; child < end; child++)
            {
                if (Precedes(_nodes[child], _nodes[best])) best = child;
            }
            if (!Precedes(_nodes[best], node)) break;
            _nodes[at] = _nodes[best];
            at = best;
        }
        _nodes[at] = node;
    }

    private static bool Precedes((long Count, ulong Pair) x, (long Count, ulong Pair) y) =>
        x.Count != y.Count ? x.Count > y.Count : x.Pair < y.Pair;
}

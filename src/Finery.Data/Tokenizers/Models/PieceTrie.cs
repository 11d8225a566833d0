using System.Text;

namespace Finery.Data.Tokenizers;

/// <summary>The pieces of a vocabulary as a tree of bytes. Nodes are in breadth-first order, so the children of node n are the
/// nodes from <c>_firstChild[n]</c> up to <c>_firstChild[n + 1]</c>, each with its byte in <c>_labels</c>.</summary>
internal sealed class PieceTrie
{
    public const int Root = 0, None = -1;

    private readonly int[] _firstChild, _ids;
    private readonly byte[] _labels;
    private readonly int[] _rootChildren = new int[256];

    /// <summary>A piece that occurs twice has its later id, as in a map filled in order.</summary>
    public PieceTrie(IReadOnlyList<string> pieces)
    {
        byte[][] bytes = [.. pieces.Select(Encoding.UTF8.GetBytes)];
        int[] order = [.. Enumerable.Range(0, bytes.Length)];
        Array.Sort(order, (a, b) => bytes[a].AsSpan().SequenceCompareTo(bytes[b]) is not 0 and var sign ? sign : a.CompareTo(b));

        List<int> firstChild = [], ids = [];
        List<byte> labels = [0];
        List<(int From, int To)> spans = [(0, order.Length)]; // of each node: the pieces in order that begin with its bytes
        for (int node = 0, depth = 0, levelEnd = 1; node < spans.Count; node++)
        {
            if (node == levelEnd) (depth, levelEnd) = (depth + 1, spans.Count);
            (int at, int to) = spans[node];
            firstChild.Add(spans.Count);
            ids.Add(None);
            for (; at < to && bytes[order[at]].Length == depth; at++) ids[node] = order[at];
            while (at < to)
            {
                byte label = bytes[order[at]][depth];
                int from = at;
                while (at < to && bytes[order[at]][depth] == label) at++;
                labels.Add(label);
                spans.Add((from, at));
            }
        }
        firstChild.Add(spans.Count);
        (_firstChild, _ids, _labels) = ([.. firstChild], [.. ids], [.. labels]);
        Array.Fill(_rootChildren, None);
        for (int child = _firstChild[Root]; child < _firstChild[Root + 1]; child++) _rootChildren[_labels[child]] = child;
    }

    /// <summary>Id of the piece that ends at a node, or <see cref="None"/>.</summary>
    public int IdAt(int node) => _ids[node];

    /// <summary>The node one byte further, or <see cref="None"/>.</summary>
    public int Next(int node, byte label)
    {
        if (node == Root) return _rootChildren[label];
        int first = _firstChild[node];
        int index = _labels.AsSpan(first, _firstChild[node + 1] - first).IndexOf(label);
        return index < 0 ? None : first + index;
    }

    /// <summary>Id of a whole piece, or <see cref="None"/>.</summary>
    public int Find(ReadOnlySpan<byte> piece)
    {
        int node = Root;
        for (int i = 0; i < piece.Length && node != None; i++) node = Next(node, piece[i]);
        return node == None ? None : _ids[node];
    }
}

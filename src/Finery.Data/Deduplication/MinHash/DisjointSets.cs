namespace Finery.Data.Deduplication.MinHash;

/// <summary>
/// Union-find over numbers. <see cref="Union"/> may be called by any number of threads: a root is only ever linked below a
/// smaller one, by compare-and-swap (Anderson and Woll 1991), so that in the end each set's root is its least member, whatever
/// the order.
/// </summary>
internal sealed class DisjointSets
{
    private readonly uint[] _parents;
    private readonly uint[] _sizes;

    public DisjointSets(long count)
    {
        _parents = new uint[count];
        _sizes = new uint[count];
        for (uint i = 0; i < _parents.Length; i++)
            _parents[i] = i;
    }

    /// <summary>Bytes for a number of members.</summary>
    public static long MemoryBytes(long count) => count * 2 * sizeof(uint);

    public uint Find(uint x)
    {
        while (true)
        {
            var parent = Volatile.Read(ref _parents[x]);
            if (parent == x)
                return x;
            var next = Volatile.Read(ref _parents[parent]);
            if (next != parent)
                Interlocked.CompareExchange(ref _parents[x], next, parent);
            x = next;
        }
    }

    public void Union(uint a, uint b)
    {
        while (true)
        {
            a = Find(a);
            b = Find(b);
            if (a == b)
                return;
            if (a > b)
                (a, b) = (b, a);
            if (Interlocked.CompareExchange(ref _parents[b], a, b) == b)
                return;
        }
    }

    /// <summary>Union as datatrove does it, which depends on the order and so has one thread: the smaller set goes below the
    /// larger, the second below the first if they are equal, and anything below number 0.</summary>
    public void UnionBySize(uint a, uint b)
    {
        a = Find(a);
        b = Find(b);
        if (a == b)
            return;
        if (b == 0 || (a != 0 && SizeAt(a) < SizeAt(b)))
            (a, b) = (b, a);
        _sizes[a] = SizeAt(a) + SizeAt(b);
        _parents[b] = a;
    }

    /// <summary>Counts the members of all sets, after the last union.</summary>
    public void CountSizes()
    {
        Array.Clear(_sizes);
        for (uint i = 0; i < _parents.Length; i++)
            _sizes[Find(i)]++;
    }

    /// <summary>Members of a root's set, once counted.</summary>
    public uint SizeOf(uint root) => _sizes[root];

    // Sets that were never joined have a size of zero here, and one member.
    private uint SizeAt(uint root) => Math.Max(1, _sizes[root]);
}

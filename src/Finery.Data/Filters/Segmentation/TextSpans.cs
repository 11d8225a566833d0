namespace Finery.Data.Filters.Segmentation;

/// <summary>Pieces of one text in order: words, lines or paragraphs. Reused from text to text; grows as needed.</summary>
internal sealed class TextSpans
{
    private int[] _starts = [];
    private int[] _ends = [];
    private byte[] _flags = [];
    private int[] _suffixes = [];
    private int _pending;

    /// <summary>Number of pieces.</summary>
    public int Count { get; private set; }

    /// <summary>Where each begins, in UTF-16 units.</summary>
    public ReadOnlySpan<int> Starts => _starts.AsSpan(0, Count);

    /// <summary>Where each ends.</summary>
    public ReadOnlySpan<int> Ends => _ends.AsSpan(0, Count);

    /// <summary><see cref="WordFlags"/> of each, if these are words.</summary>
    public ReadOnlySpan<byte> Flags => _flags.AsSpan(0, Count);

    /// <summary>One piece.</summary>
    public Range this[int index] => _starts[index].._ends[index];

    /// <summary>Forgets all pieces.</summary>
    public void Clear()
    {
        Count = 0;
        _pending = 0;
        if (PooledArray.MustGrow(_starts, 0))
            (_starts, _ends, _flags, _suffixes) = ([], [], [], []);
    }

    /// <summary>Appends a piece.</summary>
    public void Add(int start, int end, byte flags = 0)
    {
        var i = Count;
        if (i >= _starts.Length)
            Grow();
        _starts[i] = start;
        _ends[i] = end;
        _flags[i] = flags;
        Count = i + 1;
    }

    /// <summary>Drops the pieces from a position on.</summary>
    public void Truncate(int count) => Count = count;

    /// <summary>Remembers the length of a piece that comes behind those still to be added.</summary>
    public void Push(int length)
    {
        if (_pending == _suffixes.Length)
            Array.Resize(ref _suffixes, Math.Max(16, 2 * _pending));
        _suffixes[_pending++] = length;
    }

    /// <summary>The length remembered last.</summary>
    public int Pop() => _suffixes[--_pending];

    /// <summary>The pieces as ranges.</summary>
    public List<Range> ToList()
    {
        var list = new List<Range>(Count);
        for (var i = 0; i < Count; i++)
            list.Add(_starts[i].._ends[i]);
        return list;
    }

    private void Grow()
    {
        var capacity = Math.Max(256, _starts.Length * 2);
        Array.Resize(ref _starts, capacity);
        Array.Resize(ref _ends, capacity);
        Array.Resize(ref _flags, capacity);
    }
}

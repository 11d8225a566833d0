namespace Finery.Tensors;

/// <summary>
/// Places buffers in one block so that those in use at the same time never overlap and others share memory. A buffer is in use during
/// one or several spans of time; the plan is a function of its buffers alone.
/// </summary>
internal sealed class MemoryPlan
{
    private readonly List<Buffer> _buffers = [];

    /// <summary>Size of the block.</summary>
    public long Bytes { get; private set; }

    /// <summary>What the buffers would take side by side.</summary>
    public long UnsharedBytes => _buffers.Sum(buffer => buffer.Bytes);

    /// <summary>Most bytes in use at any one time: no plan can do with less.</summary>
    public long LowerBound
    {
        get
        {
            var changes = _buffers.SelectMany(buffer => buffer.Spans.SelectMany(
                span => new[] { (Time: span.Start, Change: buffer.Bytes), (Time: span.End + 1, Change: -buffer.Bytes) }));
            long used = 0, most = 0;
            foreach (var (_, change) in changes.OrderBy(change => change.Time).ThenBy(change => change.Change))
                most = Math.Max(most, used += change);
            return most;
        }
    }

    /// <summary>Adds a buffer.</summary>
    /// <param name="bytes">Size; rounded up to <see cref="Arena.Alignment"/>.</param>
    /// <param name="spans">When it is in use, first and last moment included; in order, apart from each other.</param>
    /// <returns>Its index.</returns>
    public int Add(long bytes, IReadOnlyList<Lifespan> spans)
    {
        _buffers.Add(new(Arena.Rounded(bytes), [.. spans]));
        return _buffers.Count - 1;
    }

    /// <summary>Where a buffer lies in the block, after <see cref="Place"/>.</summary>
    public long Offset(int index) => _buffers[index].Offset;

    /// <summary>Chooses all offsets.</summary>
    /// <param name="share">False puts all buffers side by side.</param>
    public void Place(bool share = true)
    {
        if (!share)
        {
            Bytes = 0;
            foreach (var buffer in _buffers) Bytes = (buffer.Offset = Bytes) + buffer.Bytes;
            return;
        }
        // No single order is always best. Stable sorts: equal buffers stay in the order they were added.
        Func<Buffer, long>[] orders = [buffer => -buffer.Bytes, buffer => -buffer.Bytes * buffer.Moments, buffer => -buffer.Moments];
        Bytes = long.MaxValue;
        long[] best = [];
        foreach (var order in orders)
        {
            long bytes = FirstFit([.. _buffers.OrderBy(order).ThenBy(buffer => -buffer.Bytes)]);
            if (bytes >= Bytes) continue;
            Bytes = bytes;
            best = [.. _buffers.Select(buffer => buffer.Offset)];
        }
        for (int i = 0; i < best.Length; i++) _buffers[i].Offset = best[i];
    }

    /// <summary>Gives each buffer, in the order given, the lowest offset where nothing in use at the same time lies.</summary>
    private static long FirstFit(Buffer[] buffers)
    {
        // By offset.
        var placed = new List<Buffer>();
        long bytes = 0;
        foreach (var buffer in buffers)
        {
            long offset = 0;
            foreach (var other in placed)
            {
                if (other.Offset >= offset + buffer.Bytes) break;
                if (other.Offset + other.Bytes > offset && other.Meets(buffer)) offset = other.Offset + other.Bytes;
            }
            buffer.Offset = offset;
            int index = placed.FindIndex(other => other.Offset > offset);
            placed.Insert(index < 0 ? placed.Count : index, buffer);
            bytes = Math.Max(bytes, offset + buffer.Bytes);
        }
        return bytes;
    }

    private sealed class Buffer(long bytes, Lifespan[] spans)
    {
        public long Bytes => bytes;

        public Lifespan[] Spans => spans;

        public long Offset { get; set; }

        public long Moments { get; } = spans.Sum(span => span.End - span.Start + 1L);

        public bool Meets(Buffer other)
        {
            foreach (var mine in spans)
            {
                foreach (var theirs in other.Spans)
                {
                    if (mine.Start <= theirs.End && theirs.Start <= mine.End) return true;
                }
            }
            return false;
        }
    }
}

/// <summary>Moments during which a buffer must keep its content.</summary>
/// <param name="Start">First moment.</param>
/// <param name="End">Last moment.</param>
internal readonly record struct Lifespan(int Start, int End);

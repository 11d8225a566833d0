using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Finery.Data.Deduplication.Sorting;

/// <summary>
/// Merges sorted sources by a tree of losers (Knuth, The Art of Computer Programming 3, 5.4.1): one comparison per level and
/// record. Equal records come in the order of their sources.
/// </summary>
internal sealed class RecordMerge<TOrder> : IDisposable
    where TOrder : struct, IRecordOrder
{
    /// <summary>Smaller reads would cost more than they bring.</summary>
    internal const int LeastBuffer = 1 << 12;

    private const int MostBuffer = 1 << 20;

    // Beyond it files are opened for each read, as a process may hold only so many open.
    private const int MostOpen = 256;

    private readonly TOrder _order;
    private readonly RecordSource[] _sources;
    private readonly IDisposable? _owned;
    private readonly bool _keepOpen;
    private readonly bool[] _ended;
    private readonly int[] _losers;
    private int _winner = -1;
    private bool _started;

    /// <param name="order">Of the records; the sources must be sorted by it.</param>
    /// <param name="sources">What to merge.</param>
    /// <param name="memoryBytes">For the buffers of all sources.</param>
    /// <param name="owned">Disposed with the merge.</param>
    /// <exception cref="InvalidOperationException">The memory does not suffice for that many sources.</exception>
    public RecordMerge(TOrder order, IReadOnlyList<RecordSource> sources, long memoryBytes, IDisposable? owned = null)
    {
        _order = order;
        _owned = owned;
        _sources = [.. sources];
        _ended = new bool[_sources.Length];
        _losers = new int[_sources.Length];
        var buffers = _sources.Count(s => s.NeedsBuffer);
        _keepOpen = buffers <= MostOpen;
        if ((long)buffers * LeastBuffer > Math.Max(memoryBytes, 1 << 20))
            throw new InvalidOperationException(
                $"Merging {buffers} files takes {(long)buffers * LeastBuffer >> 20} MiB, and {memoryBytes >> 20} MiB are "
                + "allowed. Allow more memory or cut the input into fewer, larger parts.");
        var buffer = buffers == 0 ? 0 : (int)Math.Clamp(memoryBytes / buffers, LeastBuffer, MostBuffer);
        foreach (var source in _sources)
            if (source.NeedsBuffer)
                source.Prepare(buffer);
    }

    /// <summary>The record reached; valid until the next <see cref="MoveNext"/>.</summary>
    public ReadOnlySpan<byte> Current => _sources[_winner].Current;

    /// <summary>Number of the source it comes from.</summary>
    public int Source => _winner;

    public T Read<T>()
        where T : unmanaged => MemoryMarshal.Read<T>(Current);

    public bool MoveNext()
    {
        if (_sources.Length == 0)
            return false;
        if (!_started)
            Start();
        else if (!_ended[_winner])
        {
            _ended[_winner] = !_sources[_winner].MoveNext(_keepOpen);
            Replay();
        }
        return !_ended[_winner];
    }

    public void Dispose()
    {
        foreach (var source in _sources)
            source.Close();
        _owned?.Dispose();
    }

    private void Start()
    {
        _started = true;
        for (var i = 0; i < _sources.Length; i++)
            _ended[i] = !_sources[i].MoveNext(_keepOpen);
        var winners = new int[2 * _sources.Length];
        for (var i = 0; i < _sources.Length; i++)
            winners[_sources.Length + i] = i;
        for (var node = _sources.Length - 1; node > 0; node--)
        {
            var (a, b) = (winners[2 * node], winners[2 * node + 1]);
            (winners[node], _losers[node]) = IsBefore(a, b) ? (a, b) : (b, a);
        }
        _winner = winners[1];
    }

    private void Replay()
    {
        var winner = _winner;
        for (var node = (winner + _sources.Length) / 2; node > 0; node /= 2)
            if (IsBefore(_losers[node], winner))
                (winner, _losers[node]) = (_losers[node], winner);
        _winner = winner;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool IsBefore(int a, int b)
    {
        if (_ended[a] || _ended[b])
            return !_ended[a] || (_ended[b] && a < b);
        var compared = _order.Compare(_sources[a].Current, _sources[b].Current);
        return compared < 0 || (compared == 0 && a < b);
    }
}

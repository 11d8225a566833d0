namespace Finery.Data.Batches.Mixing;

/// <summary>How far a source has been read.</summary>
/// <param name="Epoch">Number of the epoch.</param>
/// <param name="Position">Where the epoch's next window begins, counted from where the epoch did.</param>
internal readonly record struct SourceCursor(long Epoch, long Position);

/// <summary>
/// Where the windows of a source begin while their length stays T. The source is a circle of N tokens; each epoch goes once
/// round it from an offset hashed from (seed, epoch), window after window, until fewer than T are left, which it leaves out.
/// From a cursor on, a stretch of windows is therefore a part of an epoch, whole epochs, and a part of one; the windows of each
/// of these are visited in a seeded permutation. What follows a stretch begins at its <see cref="End"/>: no token is seen twice
/// in an epoch, whatever lengths it was read in.
/// </summary>
internal sealed class WindowOrder
{
    private readonly long _size, _windows, _first, _perEpoch;
    private readonly int _length;
    private readonly ulong _seed;
    private readonly SourceCursor _start;
    private readonly WindowOrder? _beyond;

    /// <param name="size">N.</param>
    /// <param name="length">T.</param>
    /// <param name="start">Where the first window begins.</param>
    /// <param name="windows">Windows of the stretch; <see cref="long.MaxValue"/> for no end.</param>
    /// <param name="seed">Of the source.</param>
    public WindowOrder(long size, int length, SourceCursor start, long windows, ulong seed)
    {
        (_size, _length, _start, _windows, _seed) = (size, length, start, windows, seed);
        _perEpoch = size / length;
        _first = Math.Min(windows, (size - start.Position) / length);
        if (windows == _first)
        {
            End = start with { Position = start.Position + (windows * length) };
        }
        else if (_perEpoch > 0)
        {
            (long epochs, long rest) = Math.DivRem(windows - _first, _perEpoch);
            // At the very end of an epoch the tokens it leaves out are still there for shorter windows.
            End = rest == 0 ? new(start.Epoch + epochs, _perEpoch * length) : new(start.Epoch + 1 + epochs, rest * length);
        }
        if (_perEpoch > 0 && windows < long.MaxValue) _beyond = new(size, length, End, long.MaxValue, seed);
    }

    /// <summary>Where the next stretch begins.</summary>
    public SourceCursor End { get; }

    /// <summary>First token of a window by its number in the stretch, in order of visit. Beyond the stretch it goes on as if it
    /// did.</summary>
    public long TokenAt(long number)
    {
        if (number >= _windows) return _beyond!.TokenAt(number - _windows);
        long epoch = _start.Epoch, position = _start.Position, count = _first;
        if (number >= _first)
        {
            (long epochs, long index) = Math.DivRem(number - _first, _perEpoch);
            count = Math.Min(_perEpoch, _windows - (number - index));
            (number, epoch, position) = (index, epoch + 1 + epochs, 0);
        }
        ulong epochSeed = SeededHash.Mix(_seed, (ulong)epoch);
        long offset = SeededHash.Below(SeededHash.Mix(epochSeed, 1), _size);
        long window = new SeededPermutation(count, SeededHash.Mix(epochSeed, 2 + (ulong)position))[number];
        long token = offset + position + (window * _length);
        return token < _size ? token : token - _size;
    }
}

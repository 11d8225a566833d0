namespace Finery.Data.Parquet;

/// <summary>Integers as packed differences from the one before (DELTA_BINARY_PACKED).</summary>
internal struct DeltaReader
{
    private readonly byte[] _data;
    private readonly int _end;
    private readonly int _blockSize;
    private readonly int _perMiniblock;
    private readonly int _miniblocks;
    private int _position;
    private int _widths;
    private int _leftInBlock, _leftInMiniblock;
    private int _width;
    private long _bit, _minimum, _value;
    private bool _isFirst;

    /// <summary>Reads the header.</summary>
    /// <param name="data">The page.</param>
    /// <param name="position">Where the integers begin.</param>
    /// <param name="end">Where the page ends.</param>
    /// <param name="most">Most values there may be.</param>
    public DeltaReader(byte[] data, int position, int end, int most)
    {
        (_data, _end) = (data, end);
        var blockSize = Varint.Read(data, ref position, end);
        var miniblocks = Varint.Read(data, ref position, end);
        var count = Varint.Read(data, ref position, end);
        if (blockSize is 0 or > 1 << 20 || miniblocks == 0 || miniblocks > blockSize || blockSize % miniblocks != 0
            || blockSize / miniblocks % 8 != 0 || count > (ulong)most)
            throw new InvalidDataException("Damaged Parquet page: the header of packed differences is not valid.");
        _value = Varint.ReadZigZag(data, ref position, end);
        (_position, _blockSize, _miniblocks, _perMiniblock) =
            (position, (int)blockSize, (int)miniblocks, (int)(blockSize / miniblocks));
        Count = Left = (int)count;
        _isFirst = true;
    }

    /// <summary>How many integers there are.</summary>
    public int Count { get; }

    /// <summary>How many are still to be read.</summary>
    public int Left { get; private set; }

    /// <summary>Reads all that is left; returns where the next part of the page begins.</summary>
    public int SkipAll()
    {
        while (Left > 0)
            Next();
        return _position;
    }

    /// <summary>The next integer.</summary>
    /// <exception cref="InvalidDataException">There is none.</exception>
    public long Next()
    {
        if (Left-- <= 0)
            throw new InvalidDataException("Damaged Parquet page: it has fewer values than it says.");
        if (_isFirst)
        {
            _isFirst = false;
            return _value;
        }
        if (_leftInBlock == 0)
            BeginBlock();
        if (_leftInMiniblock == 0)
            BeginMiniblock();
        _leftInBlock--;
        _leftInMiniblock--;
        _value = unchecked(_value + _minimum + (long)Bits());
        return _value;
    }

    private void BeginBlock()
    {
        _minimum = Varint.ReadZigZag(_data, ref _position, _end);
        _widths = _position;
        _position += _miniblocks;
        if (_position > _end)
            throw new InvalidDataException("Damaged Parquet page: a block of differences is cut off.");
        (_leftInBlock, _leftInMiniblock) = (_blockSize, 0);
    }

    private void BeginMiniblock()
    {
        _width = _data[_widths++];
        var bytes = (long)_width * _perMiniblock / 8;
        // The padding of the last one may be missing.
        var needed = ((long)_width * Math.Min(_perMiniblock, Left + 1) + 7) / 8;
        if (_width > 64 || needed > _end - _position)
            throw new InvalidDataException("Damaged Parquet page: packed differences are cut off.");
        _bit = _position * 8L;
        _position = (int)Math.Min(_end, _position + bytes);
        _leftInMiniblock = _perMiniblock;
    }

    private ulong Bits()
    {
        ulong value = 0;
        for (var taken = 0; taken < _width;)
        {
            var at = (int)(_bit >> 3);
            var offset = (int)(_bit & 7);
            var count = Math.Min(8 - offset, _width - taken);
            value |= (ulong)((_data[at] >> offset) & ((1 << count) - 1)) << taken;
            taken += count;
            _bit += count;
        }
        return value;
    }
}

using System.Buffers.Binary;

namespace Finery.Data.Parquet;

/// <summary>Integers of a fixed number of bits as runs of one value, or packed: levels, dictionary indices, truth
/// values.</summary>
internal struct HybridReader
{
    private readonly byte[] _data;
    private readonly int _end;
    private readonly int _width;
    private int _position;
    private long _left;
    private long _bit;
    private int _value;
    private bool _isPacked;

    /// <param name="data">The page.</param>
    /// <param name="start">Where the runs begin.</param>
    /// <param name="end">Where they end.</param>
    /// <param name="width">Bits of a value, at most 32.</param>
    public HybridReader(byte[] data, int start, int end, int width)
    {
        if (width > 32 || start > end || end > data.Length)
            throw new InvalidDataException("Damaged Parquet page: packed integers lie outside the page, or are too wide.");
        (_data, _position, _end, _width) = (data, start, end, width);
    }

    /// <summary>The next integer.</summary>
    /// <exception cref="InvalidDataException">There is none.</exception>
    public int Next()
    {
        if (_width == 0)
            return 0;
        if (_left == 0)
            BeginRun();
        _left--;
        if (!_isPacked)
            return _value;
        var at = (int)(_bit >> 3);
        ulong bits;
        if (at + 8 <= _data.Length)
            bits = BinaryPrimitives.ReadUInt64LittleEndian(_data.AsSpan(at));
        else
        {
            bits = 0;
            for (var i = 0; at + i < _data.Length; i++)
                bits |= (ulong)_data[at + i] << (8 * i);
        }
        var value = (uint)((bits >> (int)(_bit & 7)) & ((1UL << _width) - 1));
        _bit += _width;
        return (int)value;
    }

    private void BeginRun()
    {
        var header = Varint.Read(_data, ref _position, _end);
        _isPacked = (header & 1) != 0;
        var count = header >> 1;
        if (_isPacked)
        {
            // Some writers leave out the padding of the last group.
            _bit = _position * 8L;
            var available = (ulong)(_end - _position) * 8 / (ulong)_width;
            _left = (long)Math.Min(count * 8, available);
            _position = (int)Math.Min((ulong)_end, (ulong)_position + Math.Min(count, int.MaxValue) * (ulong)_width);
        }
        else
        {
            var bytes = (_width + 7) / 8;
            if (_end - _position < bytes)
                throw new InvalidDataException("Damaged Parquet page: a run is cut off.");
            _value = 0;
            for (var i = 0; i < bytes; i++)
                _value |= _data[_position++] << (8 * i);
            _left = (long)Math.Min(count, long.MaxValue);
        }
        if (_left == 0)
            throw new InvalidDataException("Damaged Parquet page: it has fewer integers than it says.");
    }
}

/// <summary>Integers of seven bits a byte.</summary>
internal static class Varint
{
    public static ulong Read(byte[] data, ref int position, int end)
    {
        ulong value = 0;
        for (var shift = 0; shift < 64; shift += 7)
        {
            if (position >= end)
                break;
            var next = data[position++];
            value |= (ulong)(next & 127) << shift;
            if (next < 128)
                return value;
        }
        throw new InvalidDataException("Damaged Parquet page: a number is cut off or too long.");
    }

    public static long ReadZigZag(byte[] data, ref int position, int end)
    {
        var value = Read(data, ref position, end);
        return (long)(value >> 1) ^ -(long)(value & 1);
    }
}

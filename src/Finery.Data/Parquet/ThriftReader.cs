using System.Text;

namespace Finery.Data.Parquet;

/// <summary>
/// Reads structures of the Thrift compact protocol. What is unknown is passed over; depth is bounded, and no length is believed
/// beyond the bytes that are there.
/// </summary>
internal ref struct ThriftReader(ReadOnlySpan<byte> data)
{
    private const int MaxDepth = 32;

    private readonly ReadOnlySpan<byte> _data = data;
    private int _depth;

    /// <summary>Bytes read.</summary>
    public int Position { get; private set; }

    private byte Byte() => Position < _data.Length ? _data[Position++] : throw CutOff();

    /// <summary>Begins a structure; pass the result to <see cref="NextField"/>.</summary>
    public short Begin() => ++_depth <= MaxDepth ? (short)0 : throw Damaged("structures are nested too deeply");

    /// <summary>Goes to the next field; false at the end of the structure.</summary>
    public bool NextField(ref short id, out ThriftType type)
    {
        var header = Byte();
        type = (ThriftType)(header & 15);
        if (header == 0)
        {
            _depth--;
            return false;
        }
        id = header >> 4 == 0 ? (short)Integer() : (short)(id + (header >> 4));
        return true;
    }

    private ulong Varint()
    {
        ulong value = 0;
        for (var shift = 0; shift < 64; shift += 7)
        {
            var next = Byte();
            value |= (ulong)(next & 127) << shift;
            if (next < 128)
                return value;
        }
        throw Damaged("a number is too long");
    }

    /// <summary>A signed integer.</summary>
    public long Integer()
    {
        var value = Varint();
        return (long)(value >> 1) ^ -(long)(value & 1);
    }

    /// <summary>A signed integer of 32 bits.</summary>
    public int Int32() =>
        Integer() is >= int.MinValue and <= int.MaxValue and var value ? (int)value : throw Damaged("a number is too large");

    public ReadOnlySpan<byte> Binary()
    {
        var length = Varint();
        if (length > (ulong)(_data.Length - Position))
            throw CutOff();
        Position += (int)length;
        return _data.Slice(Position - (int)length, (int)length);
    }

    public string Text() => Encoding.UTF8.GetString(Binary());

    /// <summary>Begins a list; its elements follow.</summary>
    public int List(out ThriftType type)
    {
        var header = Byte();
        type = (ThriftType)(header & 15);
        var count = header >> 4 == 15 ? Varint() : (ulong)(header >> 4);
        return count <= (ulong)(_data.Length - Position) ? (int)count : throw CutOff();
    }

    /// <summary>Passes over a value.</summary>
    public void Skip(ThriftType type)
    {
        switch (type)
        {
            case ThriftType.True or ThriftType.False:
                break;
            case ThriftType.Int8:
                Byte();
                break;
            case ThriftType.Int16 or ThriftType.Int32 or ThriftType.Int64:
                Varint();
                break;
            case ThriftType.Double:
                for (var i = 0; i < 8; i++)
                    Byte();
                break;
            case ThriftType.Binary:
                Binary();
                break;
            case ThriftType.List or ThriftType.Set:
                Begin();
                for (var count = List(out var element); count > 0; count--)
                    SkipElement(element);
                _depth--;
                break;
            case ThriftType.Map:
                Begin();
                var pairs = Varint();
                if (pairs > (ulong)_data.Length)
                    throw CutOff();
                var types = pairs == 0 ? 0 : Byte();
                for (; pairs > 0; pairs--)
                {
                    SkipElement((ThriftType)(types >> 4));
                    SkipElement((ThriftType)(types & 15));
                }
                _depth--;
                break;
            case ThriftType.Struct:
                var id = Begin();
                while (NextField(ref id, out var field))
                    Skip(field);
                break;
            default:
                throw Damaged("a structure has a field of unknown type");
        }
    }

    /// <summary>In a list a truth value takes a byte; as a field it lies in the header.</summary>
    private void SkipElement(ThriftType type) => Skip(type is ThriftType.True or ThriftType.False ? ThriftType.Int8 : type);

    private static EndOfStreamException CutOff() => new("A Parquet structure is cut off.");

    private static InvalidDataException Damaged(string how) => new($"Damaged Parquet file: {how}.");
}

/// <summary>Types of the Thrift compact protocol.</summary>
internal enum ThriftType : byte
{
    True = 1,
    False = 2,
    Int8 = 3,
    Int16 = 4,
    Int32 = 5,
    Int64 = 6,
    Double = 7,
    Binary = 8,
    List = 9,
    Set = 10,
    Map = 11,
    Struct = 12,
}

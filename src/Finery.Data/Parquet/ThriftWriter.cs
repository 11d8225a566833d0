using System.Buffers;
using System.Text;

namespace Finery.Data.Parquet;

/// <summary>Writes structures of the Thrift compact protocol; fields in ascending order.</summary>
internal sealed class ThriftWriter
{
    private readonly ArrayBufferWriter<byte> _bytes = new();
    private readonly Stack<int> _outer = new();
    private int _last;

    public ReadOnlySpan<byte> Written => _bytes.WrittenSpan;

    public void Clear()
    {
        _bytes.ResetWrittenCount();
        _last = 0;
    }

    private void Byte(int value)
    {
        _bytes.GetSpan(1)[0] = (byte)value;
        _bytes.Advance(1);
    }

    private void Varint(ulong value)
    {
        for (; value >= 128; value >>= 7)
            Byte((int)(value & 127) | 128);
        Byte((int)value);
    }

    private void ZigZag(long value) => Varint((ulong)(value << 1) ^ (ulong)(value >> 63));

    private void Field(int id, ThriftType type)
    {
        if (id - _last is > 0 and < 16)
            Byte(((id - _last) << 4) | (int)type);
        else
        {
            Byte((int)type);
            ZigZag(id);
        }
        _last = id;
    }

    public void Int32(int id, int value)
    {
        Field(id, ThriftType.Int32);
        ZigZag(value);
    }

    public void Int64(int id, long value)
    {
        Field(id, ThriftType.Int64);
        ZigZag(value);
    }

    public void Binary(int id, ReadOnlySpan<byte> value)
    {
        Field(id, ThriftType.Binary);
        Bytes(value);
    }

    public void Text(int id, string value) => Binary(id, Encoding.UTF8.GetBytes(value));

    private void Bytes(ReadOnlySpan<byte> value)
    {
        Varint((ulong)value.Length);
        _bytes.Write(value);
    }

    public void List(int id, ThriftType type, int count)
    {
        Field(id, ThriftType.List);
        if (count < 15)
            Byte((count << 4) | (int)type);
        else
        {
            Byte(0xF0 | (int)type);
            Varint((ulong)count);
        }
    }

    public void Element(int value) => ZigZag(value);

    public void Element(string value) => Bytes(Encoding.UTF8.GetBytes(value));

    /// <summary>An element that was written before, as a structure of its own.</summary>
    public void Element(ReadOnlySpan<byte> structure) => _bytes.Write(structure);

    /// <summary>Begins a structure that is a field.</summary>
    public void Begin(int id)
    {
        Field(id, ThriftType.Struct);
        Begin();
    }

    /// <summary>Begins a structure that is an element of a list.</summary>
    public void Begin()
    {
        _outer.Push(_last);
        _last = 0;
    }

    /// <summary>Ends a structure.</summary>
    public void End()
    {
        Byte(0);
        _last = _outer.Count > 0 ? _outer.Pop() : 0;
    }
}

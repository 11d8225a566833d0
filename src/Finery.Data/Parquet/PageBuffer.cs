using System.Buffers.Binary;
using System.Text;

namespace Finery.Data.Parquet;

/// <summary>Bytes that grow.</summary>
internal sealed class PageBuffer
{
    private byte[] _bytes = new byte[1 << 10];

    public int Count { get; private set; }

    public ReadOnlySpan<byte> Written => _bytes.AsSpan(0, Count);

    public void Clear() => Count = 0;

    private Span<byte> Reserve(int count)
    {
        if (_bytes.Length - Count < count)
            Array.Resize(ref _bytes, (int)Math.Min(Array.MaxLength, Math.Max(_bytes.Length * 2L, Count + (long)count)));
        return _bytes.AsSpan(Count, count);
    }

    public void AddByte(byte value)
    {
        Reserve(1)[0] = value;
        Count++;
    }

    public void AddVarint(uint value)
    {
        for (; value >= 128; value >>= 7)
            AddByte((byte)(value | 128));
        AddByte((byte)value);
    }

    public void Add(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(Reserve(bytes.Length));
        Count += bytes.Length;
    }

    public void AddInt64(long value)
    {
        BinaryPrimitives.WriteInt64LittleEndian(Reserve(8), value);
        Count += 8;
    }

    /// <summary>A length, then the bytes.</summary>
    public void AddByteArray(ReadOnlySpan<byte> bytes)
    {
        AddInt32(bytes.Length);
        Add(bytes);
    }

    /// <summary>A length, then the text as UTF-8.</summary>
    public void AddText(string text)
    {
        // Counting first costs a second look at the text, which is worth it where three bytes a character would be much.
        var most = text.Length <= 1 << 20 ? text.Length * 3 : Encoding.UTF8.GetByteCount(text);
        var start = Count;
        AddInt32(0);
        var length = Encoding.UTF8.GetBytes(text, Reserve(most));
        Count += length;
        SetInt32(start, length);
    }

    public void AddInt32(int value)
    {
        BinaryPrimitives.WriteInt32LittleEndian(Reserve(4), value);
        Count += 4;
    }

    /// <summary>Sets a number written before.</summary>
    public void SetInt32(int position, int value) => BinaryPrimitives.WriteInt32LittleEndian(_bytes.AsSpan(position), value);
}

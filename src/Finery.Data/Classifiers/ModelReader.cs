using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Finery.Data.Classifiers;

/// <summary>Reads a fastText file and believes nothing it says: whatever it announces is held against what is left of the file
/// before memory is taken for it.</summary>
/// <param name="stream">Read from its position to its end.</param>
/// <param name="length">Bytes it holds from there.</param>
/// <param name="name">What messages call the file.</param>
internal sealed class ModelReader(Stream stream, long length, string name)
{
    private readonly byte[] _buffer = new byte[1 << 16];
    private int _position;
    private int _filled;
    private long _unread = length;

    /// <summary>Bytes not yet taken.</summary>
    public long Remaining => _unread + _filled - _position;

    public InvalidDataException Bad(string what) => new($"'{name}': {what}.");

    /// <summary>Fails unless so many items of so many bytes are left.</summary>
    public void Require(long count, long size, string what)
    {
        if (count < 0 || count > Remaining / size)
            throw Bad($"{count} {what} are announced but {Remaining} bytes are left");
    }

    public byte ReadByte() => Take(1)[0];

    public int ReadInt32() => BinaryPrimitives.ReadInt32LittleEndian(Take(4));

    public long ReadInt64() => BinaryPrimitives.ReadInt64LittleEndian(Take(8));

    public double ReadDouble() => BinaryPrimitives.ReadDoubleLittleEndian(Take(8));

    public bool ReadFlag(string what) => ReadByte() switch
    {
        0 => false,
        1 => true,
        var other => throw Bad($"{what} is {other} instead of 0 or 1"),
    };

    public byte[] ReadBytes(long count, string what)
    {
        var bytes = Allocate<byte>(count, 1, what);
        Fill(bytes);
        return bytes;
    }

    /// <summary>Reads finite 32-bit floats.</summary>
    public float[] ReadFloats(long count, string what)
    {
        var values = Allocate<float>(count, 4, what);
        Fill(MemoryMarshal.AsBytes(values.AsSpan()));
        if (!AreFinite(values))
            throw Bad($"{what} hold a value that is infinite or not a number");
        return values;
    }

    /// <summary>Appends the bytes up to the next zero, which is read too.</summary>
    public void ReadTerminated(List<byte> destination)
    {
        while (true)
        {
            if (_position == _filled)
                Refill(1);
            var rest = _buffer.AsSpan(_position, _filled - _position);
            var end = rest.IndexOf((byte)0);
            var part = end < 0 ? rest : rest[..end];
            if (destination.Count > Array.MaxLength - part.Length)
                throw Bad("its words take more than 2 GiB");
            CollectionExtensions.AddRange(destination, part);
            _position += part.Length;
            if (end < 0)
                continue;
            _position++;
            return;
        }
    }

    private T[] Allocate<T>(long count, int size, string what)
    {
        Require(count, size, what);
        return count <= Array.MaxLength ? GC.AllocateUninitializedArray<T>((int)count)
            : throw Bad($"{count} {what} are more than can be held, {Array.MaxLength}");
    }

    private ReadOnlySpan<byte> Take(int count)
    {
        if (_filled - _position < count)
            Refill(count);
        _position += count;
        return _buffer.AsSpan(_position - count, count);
    }

    private void Refill(int atLeast)
    {
        if (Remaining < atLeast)
            throw Bad("the file ends early");
        _buffer.AsSpan(_position, _filled - _position).CopyTo(_buffer);
        _filled -= _position;
        _position = 0;
        while (_filled < atLeast)
        {
            var read = stream.Read(_buffer, _filled, _buffer.Length - _filled);
            if (read == 0)
                throw Bad("the file ends early");
            _filled += read;
            _unread -= read;
        }
    }

    private void Fill(Span<byte> destination)
    {
        var buffered = Math.Min(destination.Length, _filled - _position);
        _buffer.AsSpan(_position, buffered).CopyTo(destination);
        _position += buffered;
        destination = destination[buffered..];
        while (destination.Length > 0)
        {
            var read = stream.Read(destination);
            if (read == 0)
                throw Bad("the file ends early");
            _unread -= read;
            destination = destination[read..];
        }
    }

    private static bool AreFinite(ReadOnlySpan<float> values)
    {
        foreach (var value in values)
            if (!float.IsFinite(value))
                return false;
        return true;
    }
}

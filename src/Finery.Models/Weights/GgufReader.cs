using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Unicode;

namespace Finery.Models.Weights;

/// <summary>Walks over the bytes of a GGUF header. Every length is held to the bytes that remain before anything is allocated.</summary>
internal sealed unsafe class GgufReader(string path, MappedBytes bytes)
{
    /// <summary>Bytes walked over.</summary>
    public long Position { get; private set; }

    private long Remaining => bytes.Length - Position;

    /// <summary>A little-endian number.</summary>
    /// <param name="what">For errors.</param>
    public TNumber Number<TNumber>(string what) where TNumber : unmanaged =>
        Unsafe.ReadUnaligned<TNumber>(bytes.Pointer + Skip(sizeof(TNumber), what));

    /// <summary>A number of things that take at least so many bytes each.</summary>
    public long Count(string what, int smallest)
    {
        ulong count = Number<ulong>(what);
        if (count > (ulong)(Remaining / smallest))
            throw Malformed($"{what}: {count} are claimed, of {smallest} bytes or more each; {Remaining} bytes remain.");
        return (long)count;
    }

    /// <summary>A string: its length and UTF-8 without NUL.</summary>
    public string String(string what)
    {
        long length = Count(what, 1);
        if (length > int.MaxValue / 2) throw Malformed($"{what} has {length} bytes; not supported.");
        var text = bytes.Slice(Skip(length, what), (int)length);
        if (!Utf8.IsValid(text)) throw Malformed($"{what} is not UTF-8.");
        return Encoding.UTF8.GetString(text);
    }

    /// <summary>A value: a number, a bool, a string or an array of such.</summary>
    public object Value(string what)
    {
        var type = (GgufValueType)Number<uint>($"the type of {what}");
        if (type != GgufValueType.Array) return Scalar(type, what);
        var element = (GgufValueType)Number<uint>($"the element type of {what}");
        return element switch
        {
            GgufValueType.UInt8 => Array<byte>(what),
            GgufValueType.Int8 => Array<sbyte>(what),
            GgufValueType.UInt16 => Array<ushort>(what),
            GgufValueType.Int16 => Array<short>(what),
            GgufValueType.UInt32 => Array<uint>(what),
            GgufValueType.Int32 => Array<int>(what),
            GgufValueType.Float32 => Array<float>(what),
            GgufValueType.UInt64 => Array<ulong>(what),
            GgufValueType.Int64 => Array<long>(what),
            GgufValueType.Float64 => Array<double>(what),
            GgufValueType.Bool => System.Array.ConvertAll(Array<byte>(what), value => Bool(value, what)),
            GgufValueType.String => Strings(what),
            GgufValueType.Array => throw Malformed($"{what} is an array of arrays; not supported."),
            _ => throw Malformed($"{what} has elements of the unknown type {(uint)element}."),
        };
    }

    /// <summary>An error with the place.</summary>
    public InvalidDataException Malformed(string what) => new($"{path}: {what} (at byte {Position})");

    private object Scalar(GgufValueType type, string what) => type switch
    {
        GgufValueType.UInt8 => Number<byte>(what),
        GgufValueType.Int8 => Number<sbyte>(what),
        GgufValueType.UInt16 => Number<ushort>(what),
        GgufValueType.Int16 => Number<short>(what),
        GgufValueType.UInt32 => Number<uint>(what),
        GgufValueType.Int32 => Number<int>(what),
        GgufValueType.Float32 => Number<float>(what),
        GgufValueType.UInt64 => Number<ulong>(what),
        GgufValueType.Int64 => Number<long>(what),
        GgufValueType.Float64 => Number<double>(what),
        GgufValueType.Bool => Bool(Number<byte>(what), what),
        GgufValueType.String => String(what),
        _ => throw Malformed($"{what} has the unknown type {(uint)type}."),
    };

    private TNumber[] Array<TNumber>(string what) where TNumber : unmanaged
    {
        long count = Count(what, sizeof(TNumber));
        if (count > System.Array.MaxLength) throw Malformed($"{what} has {count} elements; not supported.");
        var values = new TNumber[count];
        long at = Skip(count * sizeof(TNumber), what);
        for (int i = 0; i < values.Length; i++)
            values[i] = Unsafe.ReadUnaligned<TNumber>(bytes.Pointer + at + (long)i * sizeof(TNumber));
        return values;
    }

    private string[] Strings(string what)
    {
        long count = Count(what, sizeof(ulong));
        if (count > System.Array.MaxLength) throw Malformed($"{what} has {count} elements; not supported.");
        var values = new string[count];
        for (int i = 0; i < values.Length; i++) values[i] = String(what);
        return values;
    }

    private bool Bool(byte value, string what) =>
        value <= 1 ? value == 1 : throw Malformed($"{what} is a bool of value {value}; expected 0 or 1.");

    private long Skip(long count, string what)
    {
        if (count > Remaining) throw Malformed($"the file ends inside {what}: it takes {count} bytes, {Remaining} remain.");
        long at = Position;
        Position += count;
        return at;
    }
}

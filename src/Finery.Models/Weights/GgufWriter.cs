using System.Numerics;
using System.Text;

namespace Finery.Models.Weights;

/// <summary>Writes GGUF files of version 3 (formats reference 2.3).</summary>
public static class GgufWriter
{
    /// <summary>Writes a file atomically, pairs and tensors in the order given.</summary>
    /// <param name="path">Destination; replaced if it exists.</param>
    /// <param name="values">Numbers, bool, strings and one-dimensional arrays of them; <see cref="GgufFile.AlignmentKey"/>, a power of two
    /// of type uint, sets the alignment.</param>
    /// <param name="tensors">Types as ggml names them; each asked for its values once.</param>
    /// <exception cref="ArgumentException">A name is there twice or too long, a type or shape cannot be stored.</exception>
    public static void Write(string path, IEnumerable<KeyValuePair<string, object>> values, IEnumerable<TensorSource> tensors)
    {
        KeyValuePair<string, object>[] pairs = [.. values];
        (TensorSource Tensor, long Bytes)[] items = [.. tensors.Select(tensor => (tensor, Bytes(tensor)))];
        SafeTensorsWriter.CheckNames(items.Select(item => item.Tensor.Name));
        object? given = pairs.FirstOrDefault(pair => pair.Key == GgufFile.AlignmentKey).Value;
        uint alignment = given is null ? GgufFile.DefaultAlignment : given is uint power && BitOperations.IsPow2(power) ? power
            : throw new ArgumentException($"{GgufFile.AlignmentKey} is {given}; expected a power of two of type uint.", nameof(values));
        byte[] header = Header(pairs, items, alignment);
        AtomicFile.Write(path, stream =>
        {
            stream.Write(header);
            foreach (var (tensor, bytes) in items)
            {
                SafeTensorsWriter.WriteExactly(stream, tensor, bytes);
                for (long i = bytes; i < GgufFile.Padded(bytes, alignment); i++) stream.WriteByte(0);
            }
        });
    }

    private static long Bytes(TensorSource tensor)
    {
        long bytes = 0;
        string? fault = Encoding.UTF8.GetByteCount(tensor.Name) > GgufFile.MaxNameBytes
                ? $"the name has more than {GgufFile.MaxNameBytes} bytes."
            : tensor.Shape.Count > GgufFile.MaxDimensions
                ? $"{tensor.Shape.Count} dimensions; at most {GgufFile.MaxDimensions} are allowed."
            : tensor.Shape.Any(size => size < 0) ? "a dimension is negative."
            : GgufTypes.Id(tensor.Type) is null ? $"type {tensor.Type} is unknown to the format."
            : GgufTypes.Size(tensor.Type, tensor.Shape, out bytes);
        return fault is null ? bytes : throw new ArgumentException($"{tensor.Name}: {fault}", nameof(tensor));
    }

    private static byte[] Header(KeyValuePair<string, object>[] pairs, (TensorSource Tensor, long Bytes)[] tensors, uint alignment)
    {
        using var buffer = new MemoryStream();
        using var writer = new BinaryWriter(buffer);
        writer.Write(GgufFile.Magic);
        writer.Write(GgufFile.Version);
        writer.Write((ulong)tensors.Length);
        writer.Write((ulong)pairs.Length);
        var keys = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (key, value) in pairs)
        {
            if (key.Length == 0 || Encoding.UTF8.GetByteCount(key) > GgufFile.MaxKeyBytes || !keys.Add(key))
                throw new ArgumentException($"The key '{key}' is empty, too long or there twice.", nameof(pairs));
            Write(writer, key);
            WriteValue(writer, key, value);
        }
        long offset = 0;
        foreach (var (tensor, bytes) in tensors)
        {
            Write(writer, tensor.Name);
            writer.Write((uint)tensor.Shape.Count);
            foreach (long size in tensor.Shape.Reverse()) writer.Write((ulong)size);
            writer.Write(GgufTypes.Id(tensor.Type)!.Value);
            writer.Write((ulong)offset);
            offset = GgufFile.Padded(checked(offset + bytes), alignment);
        }
        while (buffer.Length % alignment != 0) writer.Write((byte)0);
        writer.Flush();
        return buffer.ToArray();
    }

    private static void WriteValue(BinaryWriter writer, string key, object value)
    {
        if (value is not Array array)
        {
            writer.Write((uint)TypeOf(key, value.GetType()));
            WriteScalar(writer, value);
            return;
        }
        writer.Write((uint)GgufValueType.Array);
        writer.Write((uint)TypeOf(key, array.GetType().GetElementType()!));
        writer.Write((ulong)array.Length);
        foreach (object element in array) WriteScalar(writer, element);
    }

    private static GgufValueType TypeOf(string key, Type type) => type switch
    {
        _ when type == typeof(string) => GgufValueType.String,
        _ when type.IsArray || type.IsEnum => throw Unsupported(key, type),
        _ => Type.GetTypeCode(type) switch
        {
            TypeCode.Byte => GgufValueType.UInt8,
            TypeCode.SByte => GgufValueType.Int8,
            TypeCode.UInt16 => GgufValueType.UInt16,
            TypeCode.Int16 => GgufValueType.Int16,
            TypeCode.UInt32 => GgufValueType.UInt32,
            TypeCode.Int32 => GgufValueType.Int32,
            TypeCode.Single => GgufValueType.Float32,
            TypeCode.Boolean => GgufValueType.Bool,
            TypeCode.UInt64 => GgufValueType.UInt64,
            TypeCode.Int64 => GgufValueType.Int64,
            TypeCode.Double => GgufValueType.Float64,
            _ => throw Unsupported(key, type),
        },
    };

    private static void WriteScalar(BinaryWriter writer, object value)
    {
        switch (value)
        {
            case string text: Write(writer, text); break;
            case byte number: writer.Write(number); break;
            case sbyte number: writer.Write(number); break;
            case ushort number: writer.Write(number); break;
            case short number: writer.Write(number); break;
            case uint number: writer.Write(number); break;
            case int number: writer.Write(number); break;
            case float number: writer.Write(number); break;
            case bool flag: writer.Write(flag); break;
            case ulong number: writer.Write(number); break;
            case long number: writer.Write(number); break;
            default: writer.Write((double)value); break;
        }
    }

    private static void Write(BinaryWriter writer, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        writer.Write((ulong)bytes.Length);
        writer.Write(bytes);
    }

    private static ArgumentException Unsupported(string key, Type type) =>
        new($"The key {key} has a value of type {type.Name}; expected a number, bool, string or a one-dimensional array of them.");
}

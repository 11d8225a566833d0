using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Encodings.Web;
using System.Text.Json;
using Finery.Tensors;

namespace Finery.Models.Weights;

/// <summary>How floats are stored in a safetensors file.</summary>
public enum SafeTensorType
{
    /// <summary>All 32 bits.</summary>
    F32,

    /// <summary>bfloat16, rounded to nearest even.</summary>
    BF16,
}

/// <summary>Writes safetensors files (formats reference 2.1).</summary>
public static class SafeTensorsWriter
{
    // The data begins aligned for every element type.
    private const int Alignment = 8;

    private const int ChunkElements = 1 << 18;

    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes a file atomically: element alignment descending, then name.</summary>
    /// <param name="path">Destination; replaced if it exists.</param>
    /// <param name="tensors">F32 and BF16 tensors, and I32 and U16 ones stored as such.</param>
    /// <param name="type">How F32 and BF16 tensors are stored; null keeps each as it is.</param>
    /// <param name="metadata">Written as <c>__metadata__</c> where not null.</param>
    /// <exception cref="ArgumentException">Two tensors have one name, or one has a type that cannot be stored.</exception>
    public static void Write(
        string path, IEnumerable<NamedTensor> tensors, SafeTensorType? type = null,
        IReadOnlyDictionary<string, string>? metadata = null)
    {
        NamedTensor[] ordered =
        [
            .. tensors.OrderByDescending(tensor => ElementBytes(tensor.Tensor, type))
                .ThenBy(tensor => tensor.Name, StringComparer.Ordinal),
        ];
        foreach (var name in ordered.GroupBy(tensor => tensor.Name, StringComparer.Ordinal).Where(group => group.Count() > 1))
            throw new ArgumentException($"Two tensors are named {name.Key}.", nameof(tensors));
        byte[] header = Header(ordered, type, metadata);
        AtomicFile.Write(path, stream =>
        {
            Span<byte> length = stackalloc byte[8];
            BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)header.Length);
            stream.Write(length);
            stream.Write(header);
            foreach (var (_, tensor) in ordered) WriteData(stream, tensor, type);
        });
    }

    private static byte[] Header(NamedTensor[] tensors, SafeTensorType? type, IReadOnlyDictionary<string, string>? metadata)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, Options))
        {
            json.WriteStartObject();
            if (metadata is not null)
            {
                json.WriteStartObject("__metadata__");
                foreach (var (key, value) in metadata.OrderBy(pair => pair.Key, StringComparer.Ordinal))
                    json.WriteString(key, value);
                json.WriteEndObject();
            }
            long offset = 0;
            foreach (var (name, tensor) in tensors)
            {
                json.WriteStartObject(name);
                json.WriteString("dtype", Stored(tensor, type).ToString());
                json.WriteStartArray("shape");
                foreach (int dimension in tensor.Shape) json.WriteNumberValue(dimension);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(offset);
                json.WriteNumberValue(offset += tensor.Length * ElementBytes(tensor, type));
                json.WriteEndArray();
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        while (buffer.Length % Alignment != 0) buffer.WriteByte((byte)' ');
        return buffer.ToArray();
    }

    private static void WriteData(Stream stream, Tensor tensor, SafeTensorType? type)
    {
        switch (tensor.Type, Stored(tensor, type))
        {
            case (DType.F32, DType.BF16): WriteConverted<float, BFloat16>(stream, tensor.Floats, value => (BFloat16)value); break;
            case (DType.BF16, DType.F32): WriteConverted<BFloat16, float>(stream, tensor.BFloat16s, value => (float)value); break;
            case (DType.F32, _): WriteElements<float>(stream, tensor.Floats); break;
            case (DType.BF16, _): WriteElements<BFloat16>(stream, tensor.BFloat16s); break;
            case (DType.U16, _): WriteElements<ushort>(stream, tensor.UInt16s); break;
            default: WriteElements<int>(stream, tensor.Integers); break;
        }
    }

    private static void WriteConverted<TFrom, TTo>(Stream stream, ReadOnlySpan<TFrom> values, Func<TFrom, TTo> convert)
        where TFrom : unmanaged where TTo : unmanaged
    {
        var chunk = new TTo[Math.Min(ChunkElements, values.Length)];
        for (int start = 0; start < values.Length; start += ChunkElements)
        {
            var source = values.Slice(start, Math.Min(ChunkElements, values.Length - start));
            for (int i = 0; i < source.Length; i++) chunk[i] = convert(source[i]);
            stream.Write(MemoryMarshal.AsBytes<TTo>(chunk.AsSpan(0, source.Length)));
        }
    }

    private static void WriteElements<TElement>(Stream stream, ReadOnlySpan<TElement> values) where TElement : unmanaged
    {
        for (int start = 0; start < values.Length; start += ChunkElements)
            stream.Write(MemoryMarshal.AsBytes(values.Slice(start, Math.Min(ChunkElements, values.Length - start))));
    }

    private static int ElementBytes(Tensor tensor, SafeTensorType? type) => Stored(tensor, type).ByteSize();

    /// <summary>The type in the file, which is spelt there as here.</summary>
    private static DType Stored(Tensor tensor, SafeTensorType? type) => tensor.Type switch
    {
        DType.F32 or DType.BF16 => type switch
        {
            null => tensor.Type,
            SafeTensorType.BF16 => DType.BF16,
            _ => DType.F32,
        },
        DType.I32 or DType.U16 => tensor.Type,
        _ => throw new ArgumentException($"{tensor} cannot be stored: expected F32, BF16, I32 or U16."),
    };
}

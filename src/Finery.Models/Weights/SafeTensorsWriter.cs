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
    /// <param name="tensors">F32 tensors, and I32 ones stored as such.</param>
    /// <param name="type">How F32 tensors are stored.</param>
    /// <param name="metadata">Written as <c>__metadata__</c> where not null.</param>
    /// <exception cref="ArgumentException">Two tensors have one name, or one has a type that cannot be stored.</exception>
    public static void Write(
        string path, IEnumerable<NamedTensor> tensors, SafeTensorType type = SafeTensorType.F32,
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

    private static byte[] Header(NamedTensor[] tensors, SafeTensorType type, IReadOnlyDictionary<string, string>? metadata)
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
                json.WriteString("dtype", tensor.Type == DType.F32 ? type.ToString() : "I32");
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

    private static void WriteData(Stream stream, Tensor tensor, SafeTensorType type)
    {
        if (tensor.Type == DType.I32)
        {
            WriteElements<int>(stream, tensor.Integers);
            return;
        }
        ReadOnlySpan<float> values = tensor.Floats;
        if (type == SafeTensorType.F32)
        {
            WriteElements(stream, values);
            return;
        }
        var halves = new BFloat16[Math.Min(ChunkElements, values.Length)];
        for (int start = 0; start < values.Length; start += ChunkElements)
        {
            var source = values.Slice(start, Math.Min(ChunkElements, values.Length - start));
            for (int i = 0; i < source.Length; i++) halves[i] = (BFloat16)source[i];
            stream.Write(MemoryMarshal.AsBytes<BFloat16>(halves.AsSpan(0, source.Length)));
        }
    }

    private static void WriteElements<TElement>(Stream stream, ReadOnlySpan<TElement> values) where TElement : unmanaged
    {
        for (int start = 0; start < values.Length; start += ChunkElements)
            stream.Write(MemoryMarshal.AsBytes(values.Slice(start, Math.Min(ChunkElements, values.Length - start))));
    }

    private static int ElementBytes(Tensor tensor, SafeTensorType type) => tensor.Type switch
    {
        DType.F32 => type == SafeTensorType.BF16 ? 2 : 4,
        DType.I32 => 4,
        _ => throw new ArgumentException($"{tensor} cannot be stored: expected F32 or I32."),
    };
}

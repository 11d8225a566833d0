using System.Buffers.Binary;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Finery.Models.Weights;

/// <summary>Writes safetensors files (formats reference 2.1).</summary>
public static class SafeTensorsWriter
{
    // The data begins aligned for every element type.
    private const int Alignment = 8;

    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes tensors in memory to a file, atomically.</summary>
    /// <param name="path">Destination; replaced if it exists.</param>
    /// <param name="tensors">F32 and BF16 tensors, and I32 and U16 ones stored as such.</param>
    /// <param name="type">How F32 and BF16 tensors are stored; null keeps each as it is.</param>
    /// <param name="metadata">Written as <c>__metadata__</c> where not null.</param>
    /// <exception cref="ArgumentException">Two tensors have one name, or one has a type that cannot be stored.</exception>
    public static void Write(
        string path, IEnumerable<NamedTensor> tensors, SafeTensorType? type = null,
        IReadOnlyDictionary<string, string>? metadata = null) =>
        WriteStreamed(path, tensors.Select(tensor => TensorSource.Of(tensor, type)), metadata);

    /// <summary>Writes a file atomically: elements of the largest alignment first, in the format's order of types, then by name.</summary>
    /// <param name="path">Destination; replaced if it exists.</param>
    /// <param name="tensors">Each asked for its values once, in the order of the file.</param>
    /// <param name="metadata">Written as <c>__metadata__</c> where not null.</param>
    /// <exception cref="ArgumentException">Two tensors have one name, or one has a type or size that cannot be stored.</exception>
    public static void WriteStreamed(
        string path, IEnumerable<TensorSource> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        (TensorSource Tensor, long Bytes)[] ordered =
        [
            .. tensors.Select(tensor => (tensor, Bytes: Bytes(tensor)))
                .OrderByDescending(item => SafeTensorTypes.Rank(item.tensor.Type))
                .ThenBy(item => item.tensor.Name, StringComparer.Ordinal),
        ];
        CheckNames(ordered.Select(item => item.Tensor.Name));
        byte[] header = Header(ordered, metadata);
        AtomicFile.Write(path, stream =>
        {
            Span<byte> length = stackalloc byte[8];
            BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)header.Length);
            stream.Write(length);
            stream.Write(header);
            foreach (var (tensor, bytes) in ordered) WriteExactly(stream, tensor, bytes);
        });
    }

    /// <summary>Bytes of a tensor in a file.</summary>
    /// <exception cref="ArgumentException">The type is unknown to the format, or the shape impossible.</exception>
    internal static long Bytes(TensorSource tensor)
    {
        string? fault = tensor.Name == "__metadata__" ? "the name is the format's own."
            : !SafeTensorTypes.Has(tensor.Type) ? $"type {tensor.Type} is unknown to the format."
            : tensor.Shape.Any(size => size < 0) ? "a dimension is negative." : null;
        long bytes = 0;
        fault ??= SafeTensorTypes.Size(tensor.Type, tensor.Shape, out bytes);
        return fault is null ? bytes : throw new ArgumentException($"{tensor.Name}: {fault}", nameof(tensor));
    }

    /// <summary>Fails where a name is there twice.</summary>
    internal static void CheckNames(IEnumerable<string> names)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (string name in names)
            if (!seen.Add(name)) throw new ArgumentException($"Two tensors are named {name}.", nameof(names));
    }

    /// <summary>Writes a tensor's values and holds the source to their number.</summary>
    internal static void WriteExactly(Stream stream, TensorSource tensor, long bytes)
    {
        long begin = stream.Position;
        tensor.Write(stream);
        if (stream.Position - begin != bytes)
        {
            throw new InvalidOperationException(
                $"{tensor.Name}: {stream.Position - begin} bytes were written; {tensor.Type} "
                + $"[{string.Join(", ", tensor.Shape)}] takes {bytes}.");
        }
    }

    private static byte[] Header((TensorSource Tensor, long Bytes)[] tensors, IReadOnlyDictionary<string, string>? metadata)
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
            foreach (var (tensor, bytes) in tensors)
            {
                json.WriteStartObject(tensor.Name);
                json.WriteString("dtype", tensor.Type);
                json.WriteStartArray("shape");
                foreach (long dimension in tensor.Shape) json.WriteNumberValue(dimension);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(offset);
                json.WriteNumberValue(offset = checked(offset + bytes));
                json.WriteEndArray();
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        while (buffer.Length % Alignment != 0) buffer.WriteByte((byte)' ');
        if (buffer.Length > SafeTensorsFile.MaxHeaderBytes)
            throw new ArgumentException($"The header takes {buffer.Length} bytes; the format allows {SafeTensorsFile.MaxHeaderBytes}.");
        return buffer.ToArray();
    }
}

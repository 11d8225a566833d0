using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Unicode;
using Finery.Tensors;
using Microsoft.Win32.SafeHandles;

namespace Finery.Models.Weights;

/// <summary>A tensor and its name in a file.</summary>
/// <param name="Name">Name in the file.</param>
/// <param name="Tensor">F32, BF16, I32 or U16 values.</param>
public readonly record struct NamedTensor(string Name, Tensor Tensor);

/// <summary>Where a tensor lies in a safetensors file.</summary>
/// <param name="Type">Element type as the format spells it.</param>
/// <param name="Shape">Dimensions, outermost first; empty for a scalar.</param>
/// <param name="Begin">First byte, relative to the end of the header.</param>
/// <param name="End">One past the last byte.</param>
public sealed record SafeTensorEntry(string Type, IReadOnlyList<long> Shape, long Begin, long End);

/// <summary>
/// Reads one safetensors file (formats reference 2.1). The header is checked completely before anything else: no overlap, no
/// hole, no byte too many or too few. Data is streamed tensor by tensor. Not thread-safe.
/// </summary>
public sealed class SafeTensorsFile : IDisposable
{
    // The format's own limit; it bounds what a hostile file can make us allocate.
    private const long MaxHeaderBytes = 100_000_000;

    private const int LengthBytes = 8;
    private const int ChunkElements = 1 << 18;

    /// <summary>Bits per element of every type of the format.</summary>
    private static readonly Dictionary<string, int> Bits = new(StringComparer.Ordinal)
    {
        ["F4"] = 4, ["F6_E2M3"] = 6, ["F6_E3M2"] = 6,
        ["BOOL"] = 8, ["U8"] = 8, ["I8"] = 8, ["F8_E8M0"] = 8,
        ["F8_E5M2"] = 8, ["F8_E4M3"] = 8, ["F8_E4M3FNUZ"] = 8, ["F8_E5M2FNUZ"] = 8,
        ["I16"] = 16, ["U16"] = 16, ["F16"] = 16, ["BF16"] = 16,
        ["I32"] = 32, ["U32"] = 32, ["F32"] = 32,
        ["C64"] = 64, ["F64"] = 64, ["I64"] = 64, ["U64"] = 64,
    };

    private readonly string _path;
    private readonly SafeFileHandle _file;
    private readonly long _dataStart;

    private SafeTensorsFile(string path, SafeFileHandle file)
    {
        (_path, _file) = (path, file);
        byte[] header = ReadHeader();
        _dataStart = LengthBytes + header.Length;
        (Entries, Metadata) = Parse(header);
        CheckLayout();
    }

    /// <summary>All tensors by name.</summary>
    public IReadOnlyDictionary<string, SafeTensorEntry> Entries { get; }

    /// <summary>The <c>__metadata__</c> map; empty if absent.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Opens a file and checks its header against the file's length.</summary>
    /// <exception cref="InvalidDataException">Not a well-formed safetensors file; the message says what is wrong.</exception>
    public static SafeTensorsFile Open(string path)
    {
        var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        try
        {
            return new SafeTensorsFile(path, file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Reads a tensor into one of the same number of elements: F32, BF16 or F16 into F32 (exact) or BF16 (rounded to nearest
    /// even), I32 into I32, U16 into U16.</summary>
    /// <exception cref="InvalidDataException">Absent, another type, another length, or the file ended early.</exception>
    public void Read(string name, Tensor destination)
    {
        switch (destination.Type)
        {
            case DType.F32: ReadFloats(name, destination.Floats); break;
            case DType.BF16: ReadBFloat16s(name, destination.BFloat16s); break;
            case DType.U16: ReadExactly("U16", name, destination.UInt16s); break;
            default: ReadIntegers(name, destination.Integers); break;
        }
    }

    /// <summary>Hands over the bytes of a tensor, in order and in pieces.</summary>
    /// <exception cref="InvalidDataException">Absent, or the file ended early.</exception>
    public void ReadBytes(string name, Action<ReadOnlySpan<byte>> take)
    {
        var entry = Entry(name);
        var piece = new byte[Math.Min(ChunkElements, entry.End - entry.Begin)];
        for (long at = entry.Begin; at < entry.End; at += piece.Length)
        {
            var bytes = piece.AsSpan(0, (int)Math.Min(piece.Length, entry.End - at));
            Read(name, at, bytes);
            take(bytes);
        }
    }

    /// <summary>Reads a tensor of type F32, BF16 or F16 as floats (exact).</summary>
    /// <param name="name">Of the tensor.</param>
    /// <param name="destination">Exactly as long as the tensor.</param>
    /// <exception cref="InvalidDataException">Absent, another type, another length, or the file ended early.</exception>
    public void ReadFloats(string name, Span<float> destination)
    {
        var entry = WeightEntry(name, destination.Length);
        if (entry.Type == "F32")
        {
            Read(name, entry.Begin, destination);
            return;
        }
        for (int start = 0; start < destination.Length; start += ChunkElements)
            ReadFloats(name, entry, start, destination.Slice(start, Math.Min(ChunkElements, destination.Length - start)));
    }

    /// <summary>Reads a tensor of type BF16 (exact), F32 or F16 (rounded to nearest even).</summary>
    /// <param name="name">Of the tensor.</param>
    /// <param name="destination">Exactly as long as the tensor.</param>
    /// <exception cref="InvalidDataException">Absent, another type, another length, or the file ended early.</exception>
    public void ReadBFloat16s(string name, Span<BFloat16> destination)
    {
        var entry = WeightEntry(name, destination.Length);
        if (entry.Type == "BF16")
        {
            Read(name, entry.Begin, destination);
            return;
        }
        var floats = new float[Math.Min(ChunkElements, destination.Length)];
        for (int start = 0; start < destination.Length; start += ChunkElements)
        {
            var chunk = floats.AsSpan(0, Math.Min(ChunkElements, destination.Length - start));
            ReadFloats(name, entry, start, chunk);
            for (int i = 0; i < chunk.Length; i++) destination[start + i] = (BFloat16)chunk[i];
        }
    }

    /// <summary>Reads a tensor of type I32.</summary>
    /// <param name="name">Of the tensor.</param>
    /// <param name="destination">Exactly as long as the tensor.</param>
    /// <exception cref="InvalidDataException">Absent, another type, another length, or the file ended early.</exception>
    public void ReadIntegers(string name, Span<int> destination)
    {
        ReadExactly("I32", name, destination);
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => _file.Dispose();

    private void ReadExactly<TElement>(string type, string name, Span<TElement> destination) where TElement : unmanaged
    {
        var entry = Entry(name);
        if (entry.Type != type) throw Malformed($"{name} has type {entry.Type}; expected {type}.");
        CheckLength(name, entry, destination.Length, Bits[type] / 8);
        Read(name, entry.Begin, destination);
    }

    private SafeTensorEntry WeightEntry(string name, int elements)
    {
        var entry = Entry(name);
        if (entry.Type is not ("F32" or "BF16" or "F16"))
            throw Malformed($"{name} has type {entry.Type}; only F32, BF16 and F16 can be read as weights.");
        CheckLength(name, entry, elements, Bits[entry.Type] / 8);
        return entry;
    }

    /// <summary>Widens at most <see cref="ChunkElements"/> weights from element <paramref name="start"/> on.</summary>
    private void ReadFloats(string name, SafeTensorEntry entry, int start, Span<float> destination)
    {
        long begin = entry.Begin + ((long)start * Bits[entry.Type] / 8);
        if (entry.Type == "F32")
        {
            Read(name, begin, destination);
            return;
        }
        var halves = new ushort[destination.Length];
        Read(name, begin, halves.AsSpan());
        for (int i = 0; i < halves.Length; i++)
            destination[i] = entry.Type == "BF16" ? (float)new BFloat16(halves[i]) : (float)BitConverter.UInt16BitsToHalf(halves[i]);
    }

    private SafeTensorEntry Entry(string name) =>
        Entries.TryGetValue(name, out var entry) ? entry : throw Malformed($"no tensor named {name}.");

    private void CheckLength(string name, SafeTensorEntry entry, int elements, int size)
    {
        if (entry.End - entry.Begin != (long)elements * size)
            throw Malformed($"{name} has {(entry.End - entry.Begin) / size} elements; expected {elements}.");
    }

    // In pieces: a Span of bytes cannot cover the largest tensors.
    private void Read<TElement>(string name, long begin, Span<TElement> destination) where TElement : unmanaged
    {
        for (int start = 0; start < destination.Length; start += ChunkElements)
        {
            var bytes = MemoryMarshal.AsBytes(destination.Slice(start, Math.Min(ChunkElements, destination.Length - start)));
            while (bytes.Length > 0)
            {
                int read = RandomAccess.Read(_file, bytes, _dataStart + begin);
                if (read == 0) throw Malformed($"the file ended inside {name}.");
                begin += read;
                bytes = bytes[read..];
            }
        }
    }

    private byte[] ReadHeader()
    {
        long length = RandomAccess.GetLength(_file);
        if (length < LengthBytes) throw Malformed($"{length} bytes; a safetensors file has at least {LengthBytes}.");
        Span<byte> prefix = stackalloc byte[LengthBytes];
        ReadExactly(prefix, 0);
        ulong size = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (size > MaxHeaderBytes) throw Malformed($"the header claims {size} bytes; at most {MaxHeaderBytes} are allowed.");
        if ((long)size > length - LengthBytes)
            throw Malformed($"the header claims {size} bytes; the file has {length - LengthBytes} after its length.");
        var header = new byte[size];
        ReadExactly(header, LengthBytes);
        if (header.Length == 0 || header[0] != '{') throw Malformed("the header does not begin with '{'.");
        if (!Utf8.IsValid(header)) throw Malformed("the header is not UTF-8.");
        return header;
    }

    private void ReadExactly(Span<byte> bytes, long offset)
    {
        while (bytes.Length > 0)
        {
            int read = RandomAccess.Read(_file, bytes, offset);
            if (read == 0) throw Malformed("the file ended inside its header.");
            offset += read;
            bytes = bytes[read..];
        }
    }

    private (Dictionary<string, SafeTensorEntry> Entries, Dictionary<string, string> Metadata) Parse(byte[] header)
    {
        var entries = new Dictionary<string, SafeTensorEntry>(StringComparer.Ordinal);
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        try
        {
            using var json = JsonDocument.Parse(header, new JsonDocumentOptions { AllowDuplicateProperties = false });
            foreach (var property in json.RootElement.EnumerateObject())
            {
                if (property.Name == "__metadata__") ReadMetadata(property.Value, metadata);
                else entries.Add(property.Name, ReadEntry(property.Name, property.Value));
            }
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a string escape that is not valid Unicode.
            throw Malformed($"the header is not valid JSON: {exception.Message}", exception);
        }
        return (entries, metadata);
    }

    private void ReadMetadata(JsonElement json, Dictionary<string, string> metadata)
    {
        if (json.ValueKind != JsonValueKind.Object) throw Malformed("__metadata__ is not an object.");
        foreach (var property in json.EnumerateObject())
        {
            if (property.Value.ValueKind != JsonValueKind.String) throw Malformed($"metadata {property.Name} is not a string.");
            metadata.Add(property.Name, property.Value.GetString()!);
        }
    }

    private SafeTensorEntry ReadEntry(string name, JsonElement json)
    {
        if (json.ValueKind != JsonValueKind.Object) throw Malformed($"the entry of {name} is not an object.");
        if (!json.TryGetProperty("dtype", out var type) || type.ValueKind != JsonValueKind.String
            || !Bits.TryGetValue(type.GetString()!, out int bits))
        {
            throw Malformed($"{name} has no known dtype.");
        }
        long[] shape = Integers(name, json, "shape");
        long[] offsets = Integers(name, json, "data_offsets");
        if (offsets.Length != 2 || offsets[0] > offsets[1])
            throw Malformed($"{name}: data_offsets must be two ascending numbers.");
        string dimensions = string.Join(", ", shape);
        long size;
        try
        {
            size = checked(shape.Aggregate(1L, (product, dimension) => checked(product * dimension)) * bits);
        }
        catch (OverflowException)
        {
            throw Malformed($"{name}: the shape [{dimensions}] overflows.");
        }
        if (size % 8 != 0) throw Malformed($"{name}: {size} bits are not whole bytes.");
        if (offsets[1] - offsets[0] != size / 8)
            throw Malformed($"{name}: {type} [{dimensions}] takes {size / 8} bytes; the offsets span {offsets[1] - offsets[0]}.");
        return new SafeTensorEntry(type.GetString()!, shape, offsets[0], offsets[1]);
    }

    private long[] Integers(string name, JsonElement entry, string key)
    {
        if (!entry.TryGetProperty(key, out var list) || list.ValueKind != JsonValueKind.Array)
            throw Malformed($"{name} has no list {key}.");
        var values = new long[list.GetArrayLength()];
        int i = 0;
        foreach (var item in list.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Number || !item.TryGetInt64(out long value) || value < 0)
                throw Malformed($"{name}: {key} contains {item}, which is not a non-negative 64-bit integer.");
            values[i++] = value;
        }
        return values;
    }

    private void CheckLayout()
    {
        long expected = 0;
        foreach (var (name, entry) in Entries.OrderBy(entry => entry.Value.Begin).ThenBy(entry => entry.Value.End))
        {
            if (entry.Begin != expected)
                throw Malformed($"{name} begins at byte {entry.Begin} of the data; expected {expected} (a gap or an overlap).");
            expected = entry.End;
        }
        long actual = RandomAccess.GetLength(_file) - _dataStart;
        if (expected != actual)
            throw Malformed($"the header describes {expected} bytes of data, there are {actual}: truncated or trailing bytes.");
    }

    private InvalidDataException Malformed(string what, Exception? inner = null) => new($"{_path}: {what}", inner);
}

using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Finery.Tensors;

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
/// hole, no byte too many or too few. Tensors are copied out, or mapped and read in place (<see cref="Map"/>). Several threads may
/// read at once.
/// </summary>
public sealed class SafeTensorsFile : IDisposable
{
    // The format's own limit; it bounds what a hostile file can make us allocate.
    internal const long MaxHeaderBytes = 100_000_000;

    private const int LengthBytes = 8;
    private const int ChunkElements = 1 << 16;

    private readonly MappedFile _file;
    private readonly SafeTensorsHeader _header;
    private readonly long _dataStart;

    private SafeTensorsFile(MappedFile file)
    {
        _file = file;
        byte[] header = ReadHeader();
        _dataStart = LengthBytes + header.Length;
        _header = SafeTensorsHeader.Parse(file.Path, header, file.Length - _dataStart);
    }

    /// <summary>All tensors by name.</summary>
    public IReadOnlyDictionary<string, SafeTensorEntry> Entries => _header.Entries;

    /// <summary>The <c>__metadata__</c> map; empty if absent.</summary>
    public IReadOnlyDictionary<string, string> Metadata => _header.Metadata;

    /// <summary>Size of the whole file.</summary>
    public long Bytes => _file.Length;

    /// <summary>Opens a file and checks its header against the file's length.</summary>
    /// <exception cref="InvalidDataException">Not a well-formed safetensors file; the message says what is wrong.</exception>
    public static SafeTensorsFile Open(string path)
    {
        var file = MappedFile.Open(path);
        try
        {
            return new SafeTensorsFile(file);
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

    /// <summary>The bytes of a tensor where they lie, in the file's own pages: nothing is copied, and they are readable until this is
    /// disposed. Elements may be unaligned. See <see cref="MappedFile"/> on files that shrink.</summary>
    /// <exception cref="InvalidDataException">Absent, or the file has become shorter.</exception>
    public MappedBytes Map(string name)
    {
        var entry = Entry(name);
        return _file.Map(_dataStart + entry.Begin, entry.End - entry.Begin);
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
            _file.Read(_dataStart + at, bytes);
            take(bytes);
        }
    }

    /// <summary>A tensor to be written elsewhere as it is, read when its turn comes.</summary>
    /// <exception cref="InvalidDataException">Absent.</exception>
    public TensorSource Source(string name)
    {
        var entry = Entry(name);
        return new(name, entry.Type, entry.Shape, stream => ReadBytes(name, stream.Write));
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
            Read(entry.Begin, destination);
            return;
        }
        var halves = new byte[sizeof(ushort) * Math.Min(ChunkElements, destination.Length)];
        for (int start = 0; start < destination.Length; start += ChunkElements)
        {
            var part = destination.Slice(start, Math.Min(ChunkElements, destination.Length - start));
            ReadFloats(entry, start, part, halves);
        }
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
            Read(entry.Begin, destination);
            return;
        }
        var floats = new float[Math.Min(ChunkElements, destination.Length)];
        var halves = entry.Type == "F32" ? [] : new byte[sizeof(ushort) * floats.Length];
        for (int start = 0; start < destination.Length; start += ChunkElements)
        {
            var part = floats.AsSpan(0, Math.Min(ChunkElements, destination.Length - start));
            ReadFloats(entry, start, part, halves);
            StoredFloats.Round(part, destination.Slice(start, part.Length));
        }
    }

    /// <summary>Reads a tensor of type I32.</summary>
    /// <param name="name">Of the tensor.</param>
    /// <param name="destination">Exactly as long as the tensor.</param>
    /// <exception cref="InvalidDataException">Absent, another type, another length, or the file ended early.</exception>
    public void ReadIntegers(string name, Span<int> destination) => ReadExactly("I32", name, destination);

    /// <summary>Closes the file.</summary>
    public void Dispose() => _file.Dispose();

    private void ReadExactly<TElement>(string type, string name, Span<TElement> destination) where TElement : unmanaged
    {
        var entry = Entry(name);
        if (entry.Type != type) throw Malformed($"{name} has type {entry.Type}; expected {type}.");
        CheckLength(name, entry, destination.Length);
        Read(entry.Begin, destination);
    }

    private SafeTensorEntry WeightEntry(string name, int elements)
    {
        var entry = Entry(name);
        if (entry.Type is not ("F32" or "BF16" or "F16"))
            throw Malformed($"{name} has type {entry.Type}; only F32, BF16 and F16 can be read as weights.");
        CheckLength(name, entry, elements);
        return entry;
    }

    /// <summary>Widens weights from element <paramref name="start"/> on, through a buffer that stays in the processor's cache.</summary>
    private void ReadFloats(SafeTensorEntry entry, int start, Span<float> destination, byte[] halves)
    {
        if (entry.Type == "F32")
        {
            Read(entry.Begin + (long)start * sizeof(float), destination);
            return;
        }
        var stored = halves.AsSpan(0, sizeof(ushort) * destination.Length);
        _file.Read(_dataStart + entry.Begin + (long)start * sizeof(ushort), stored);
        if (entry.Type == "BF16") StoredFloats.WidenBFloat16(stored, destination);
        else StoredFloats.WidenHalf(stored, destination);
    }

    private SafeTensorEntry Entry(string name) =>
        Entries.TryGetValue(name, out var entry) ? entry : throw Malformed($"no tensor named {name}.");

    private void CheckLength(string name, SafeTensorEntry entry, int elements)
    {
        int size = SafeTensorTypes.Bits(entry.Type) / 8;
        if (entry.End - entry.Begin != (long)elements * size)
            throw Malformed($"{name} has {(entry.End - entry.Begin) / size} elements; expected {elements}.");
    }

    // In pieces: a span of bytes cannot cover the largest tensors.
    private void Read<TElement>(long begin, Span<TElement> destination) where TElement : unmanaged
    {
        const int Piece = 1 << 24;
        for (int start = 0; start < destination.Length; start += Piece)
        {
            var bytes = MemoryMarshal.AsBytes(destination.Slice(start, Math.Min(Piece, destination.Length - start)));
            _file.Read(_dataStart + begin, bytes);
            begin += bytes.Length;
        }
    }

    private byte[] ReadHeader()
    {
        if (_file.Length < LengthBytes) throw Malformed($"{_file.Length} bytes; a safetensors file has at least {LengthBytes}.");
        Span<byte> prefix = stackalloc byte[LengthBytes + 1];
        int known = (int)Math.Min(prefix.Length, _file.Length);
        _file.Read(0, prefix[..known]);
        ulong size = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (size > MaxHeaderBytes) throw Malformed($"the header claims {size} bytes; at most {MaxHeaderBytes} are allowed.");
        if ((long)size > _file.Length - LengthBytes)
            throw Malformed($"the header claims {size} bytes; the file has {_file.Length - LengthBytes} after its length.");
        // Before its bytes are given room.
        if (size == 0 || prefix[LengthBytes] != '{') throw Malformed("the header does not begin with '{'.");
        var header = new byte[size];
        _file.Read(LengthBytes, header);
        return header;
    }

    private InvalidDataException Malformed(string what) => new($"{_file.Path}: {what}");
}

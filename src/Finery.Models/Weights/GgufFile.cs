using System.Numerics;
using System.Runtime.InteropServices;

namespace Finery.Models.Weights;

/// <summary>A tensor of a GGUF file.</summary>
/// <param name="Name">Name in the file.</param>
/// <param name="Type">Element or block type as ggml names it.</param>
/// <param name="Shape">Dimensions, outermost first: the reverse of the file's order.</param>
/// <param name="Begin">First byte, relative to the start of the data.</param>
/// <param name="Bytes">Size without padding.</param>
public sealed record GgufTensor(string Name, string Type, IReadOnlyList<long> Shape, long Begin, long Bytes);

/// <summary>
/// Reads a GGUF file of version 3 (formats reference 2.3): key/value pairs and tensors, not what they mean to a model. The header is
/// checked completely before anything else. Values are .NET's own: numbers, bool, string and arrays of them.
/// </summary>
public sealed class GgufFile : IDisposable
{
    /// <summary>The key that says to how many bytes the data and every tensor are padded.</summary>
    public const string AlignmentKey = "general.alignment";

    internal const uint Magic = 0x46554747, Version = 3, DefaultAlignment = 32;
    internal const int MaxNameBytes = 63, MaxDimensions = 4, MaxKeyBytes = 65535;

    // Length of the key, type and a one-byte value; length of the name, number of dimensions, type and offset.
    private const int SmallestPair = 8 + 1 + 4 + 1, SmallestTensor = 8 + 4 + 4 + 8;

    private readonly MappedFile _file;
    private readonly OrderedDictionary<string, object> _values = new(StringComparer.Ordinal);
    private readonly OrderedDictionary<string, GgufTensor> _tensors = new(StringComparer.Ordinal);

    private GgufFile(MappedFile file)
    {
        _file = file;
        var reader = new GgufReader(file.Path, file.Map(0, file.Length));
        if (reader.Number<uint>("the magic number") is var magic && magic != Magic)
            throw reader.Malformed($"the file begins with {magic:x8}, not with 'GGUF'.");
        uint version = reader.Number<uint>("the version");
        if (version != Version)
        {
            throw reader.Malformed((version & 0xFFFF) == 0 ? "a big-endian file; only little-endian is supported."
                : $"version {version}; only {Version} is supported.");
        }
        ulong tensors = reader.Number<ulong>("the number of tensors");
        long pairs = reader.Count("the number of key/value pairs", SmallestPair);
        for (long i = 0; i < pairs; i++) ReadPair(reader);
        Alignment = ReadAlignment(reader);
        ReadTensors(reader, tensors);
    }

    /// <summary>Key/value pairs in the file's order.</summary>
    public IReadOnlyDictionary<string, object> Values => _values;

    /// <summary>Tensors by name, in the file's order.</summary>
    public IReadOnlyDictionary<string, GgufTensor> Tensors => _tensors;

    /// <summary>Bytes to whose multiple the data and every tensor are padded.</summary>
    public uint Alignment { get; }

    /// <summary>First byte of the data.</summary>
    public long DataStart { get; private set; }

    /// <summary>Size of the whole file.</summary>
    public long Bytes => _file.Length;

    /// <summary>Opens a file and checks its header against the file's length.</summary>
    /// <exception cref="InvalidDataException">Not a well-formed GGUF file of version 3; the message says what is wrong and where.</exception>
    public static GgufFile Open(string path)
    {
        var file = MappedFile.Open(path);
        try
        {
            return new GgufFile(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>The bytes of a tensor in the file's own pages, readable until this is disposed. See <see cref="MappedFile"/> on files
    /// that shrink.</summary>
    /// <exception cref="InvalidDataException">There is no such tensor, or the file has become shorter.</exception>
    public MappedBytes Map(string name)
    {
        var tensor = Find(name);
        return _file.Map(DataStart + tensor.Begin, tensor.Bytes);
    }

    /// <summary>Reads a tensor of type F32, BF16 or F16 as floats (exact).</summary>
    /// <param name="name">Of the tensor.</param>
    /// <param name="destination">Exactly as long as the tensor.</param>
    /// <exception cref="InvalidDataException">Absent, another type, or another length.</exception>
    public void ReadFloats(string name, Span<float> destination)
    {
        var tensor = Find(name);
        if (tensor.Type is not ("F32" or "BF16" or "F16"))
            throw Malformed($"{name} has type {tensor.Type}; only F32, BF16 and F16 can be read as floats.");
        int size = tensor.Type == "F32" ? sizeof(float) : sizeof(ushort);
        if (tensor.Bytes != (long)destination.Length * size)
            throw Malformed($"{name} has {tensor.Bytes / size} elements; expected {destination.Length}.");
        const int Piece = 1 << 16;
        var stored = new byte[Math.Min(tensor.Bytes, Piece * size)];
        for (int start = 0; start < destination.Length; start += Piece)
        {
            var part = destination.Slice(start, Math.Min(Piece, destination.Length - start));
            var bytes = stored.AsSpan(0, part.Length * size);
            _file.Read(DataStart + tensor.Begin + (long)start * size, bytes);
            if (tensor.Type == "F32") bytes.CopyTo(MemoryMarshal.AsBytes(part));
            else if (tensor.Type == "BF16") StoredFloats.WidenBFloat16(bytes, part);
            else StoredFloats.WidenHalf(bytes, part);
        }
    }

    /// <summary>A tensor to be written elsewhere as it is, read when its turn comes.</summary>
    /// <exception cref="InvalidDataException">Absent.</exception>
    public TensorSource Source(string name)
    {
        var tensor = Find(name);
        return new(name, tensor.Type, tensor.Shape, stream =>
        {
            var piece = new byte[Math.Min(tensor.Bytes, 1 << 18)];
            for (long at = 0; at < tensor.Bytes; at += piece.Length)
            {
                var bytes = piece.AsSpan(0, (int)Math.Min(piece.Length, tensor.Bytes - at));
                _file.Read(DataStart + tensor.Begin + at, bytes);
                stream.Write(bytes);
            }
        });
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => _file.Dispose();

    /// <summary>The next multiple of the alignment.</summary>
    internal static long Padded(long bytes, uint alignment) => checked(bytes + alignment - 1) / alignment * alignment;

    private void ReadPair(GgufReader reader)
    {
        string key = reader.String("a key");
        if (key.Length is 0 or > MaxKeyBytes) throw reader.Malformed($"a key has {key.Length} letters; expected 1 to {MaxKeyBytes}.");
        string shown = SafeTensorsHeader.Shown(key);
        if (!_values.TryAdd(key, reader.Value(shown))) throw reader.Malformed($"the key {shown} is there twice.");
    }

    private uint ReadAlignment(GgufReader reader)
    {
        if (!_values.TryGetValue(AlignmentKey, out object? value)) return DefaultAlignment;
        return value is uint alignment && BitOperations.IsPow2(alignment) ? alignment
            : throw reader.Malformed($"{AlignmentKey} is {value}; expected a power of two of type u32.");
    }

    private void ReadTensors(GgufReader reader, ulong count)
    {
        if (count > (ulong)((_file.Length - reader.Position) / SmallestTensor))
        {
            throw reader.Malformed($"the number of tensors is {count}, of {SmallestTensor} bytes or more each; "
                + $"{_file.Length - reader.Position} bytes remain.");
        }
        long end = 0, padded = 0;
        try
        {
            for (ulong i = 0; i < count; i++)
            {
                var tensor = ReadTensor(reader, padded);
                end = checked(tensor.Begin + tensor.Bytes);
                padded = Padded(end, Alignment);
            }
            DataStart = Padded(reader.Position, Alignment);
        }
        catch (OverflowException)
        {
            throw reader.Malformed("the tensors together overflow.");
        }
        // Without tensors the padding of the header may be left out, with them that of the last.
        long present = _file.Length - DataStart;
        if (count == 0 ? present > 0 : present < end || present > padded)
        {
            throw reader.Malformed(
                $"the header describes {end} bytes of data, {padded} with padding; there are {Math.Max(present, 0)}: "
                + "truncated or trailing bytes.");
        }
    }

    private GgufTensor ReadTensor(GgufReader reader, long expected)
    {
        string name = reader.String("the name of a tensor"), shown = SafeTensorsHeader.Shown(name);
        if (System.Text.Encoding.UTF8.GetByteCount(name) > MaxNameBytes)
            throw reader.Malformed($"the name {shown} of a tensor has more than {MaxNameBytes} bytes.");
        uint dimensions = reader.Number<uint>($"the number of dimensions of {shown}");
        if (dimensions > MaxDimensions)
            throw reader.Malformed($"{shown} has {dimensions} dimensions; at most {MaxDimensions} are allowed.");
        var shape = new long[dimensions];
        for (int i = shape.Length - 1; i >= 0; i--)
        {
            ulong size = reader.Number<ulong>($"a dimension of {shown}");
            if (size > long.MaxValue) throw reader.Malformed($"a dimension of {shown} is {size}: it overflows.");
            shape[i] = (long)size;
        }
        uint id = reader.Number<uint>($"the type of {shown}");
        string type = GgufTypes.Name(id) ?? throw reader.Malformed($"{shown} has the unknown type {id}.");
        ulong offset = reader.Number<ulong>($"the offset of {shown}");
        if (GgufTypes.Size(type, shape, out long bytes) is { } fault) throw reader.Malformed($"{shown}: {fault}");
        if (offset != (ulong)expected) throw reader.Malformed($"{shown} begins at byte {offset} of the data; expected {expected}.");
        var tensor = new GgufTensor(name, type, shape, expected, bytes);
        return _tensors.TryAdd(name, tensor) ? tensor : throw reader.Malformed($"two tensors are named {shown}.");
    }

    private GgufTensor Find(string name) =>
        _tensors.TryGetValue(name, out var tensor) ? tensor : throw Malformed($"no tensor named {SafeTensorsHeader.Shown(name)}.");

    private InvalidDataException Malformed(string what) => new($"{_file.Path}: {what}");
}

using System.Runtime.InteropServices;

namespace Finery.Tensors;

/// <summary>
/// Owns native, zeroed, 64-byte-aligned memory for a group of tensors that live and die together. Everything a training step touches
/// is allocated here before the first step, so that a step asks neither the garbage collector nor the operating system for memory.
/// </summary>
public sealed unsafe class Arena : IDisposable
{
    /// <summary>Alignment of every tensor in bytes: one cache line, one AVX-512 register.</summary>
    public const int Alignment = 64;

    private const long BlockBytes = 16 << 20;

    private readonly string _name;
    private readonly bool _outline;
    private readonly List<nint> _blocks = [];
    private byte* _next;
    private long _left;
    private bool _disposed;

    /// <summary>An arena without memory yet.</summary>
    /// <param name="name">For errors.</param>
    /// <param name="floats">What <see cref="Floats"/> allocates: <see cref="DType.F64"/> where the reference computes exact gradients.</param>
    public Arena(string name, DType floats = DType.F32) : this(name, floats, outline: false)
    {
    }

    private Arena(string name, DType floats, bool outline) => (_name, FloatType, _outline) = (name, floats, outline);

    /// <summary>An arena that only counts: its tensors have shapes but no memory, and fail where one is read or written. What is built
    /// on it can be recorded and measured, not run.</summary>
    public static Arena Outline(string name) => new(name, DType.F32, outline: true);

    /// <summary>Whether this arena only counts.</summary>
    public bool IsOutline => _outline;

    /// <summary>What <see cref="Floats"/> allocates.</summary>
    public DType FloatType { get; }

    /// <summary>Bytes handed out so far.</summary>
    public long Bytes { get; private set; }

    /// <summary>Allocates a zeroed tensor.</summary>
    /// <exception cref="InsufficientMemoryException">The operating system has no memory; the message names arena, tensor and sizes.</exception>
    public Tensor Allocate(string tensor, DType type, params ReadOnlySpan<int> shape)
    {
        if (shape.Length > 4) throw new ArgumentException($"{tensor}: {shape.Length} dimensions, at most 4.", nameof(shape));
        long bytes = checked(Tensor.Product(shape) * type.ByteSize());
        return new Tensor(tensor, type, shape.ToArray(), Reserve(tensor, bytes));
    }

    /// <summary>Allocates a float tensor, of the arena's type of floats.</summary>
    public Tensor Floats(string tensor, params ReadOnlySpan<int> shape) => Allocate(tensor, FloatType, shape);

    /// <summary>Allocates an integer tensor.</summary>
    public Tensor Integers(string tensor, params ReadOnlySpan<int> shape) => Allocate(tensor, DType.I32, shape);

    /// <summary>Frees all memory. Tensors of this arena must not be used afterwards.</summary>
    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        foreach (nint block in _blocks) NativeMemory.AlignedFree((void*)block);
        _blocks.Clear();
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees the memory of an arena nobody disposed.</summary>
    ~Arena() => Dispose();

    /// <summary>Size in memory of <paramref name="bytes"/> bytes.</summary>
    internal static long Rounded(long bytes) => Math.Max(Alignment, checked(bytes + Alignment - 1) / Alignment * Alignment);

    /// <summary>Zeroed memory for <paramref name="what"/>; null in an outline.</summary>
    internal byte* Reserve(string what, long bytes)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        long rounded = Rounded(bytes);
        if (_outline)
        {
            Bytes += rounded;
            return null;
        }
        if (rounded > _left) AddBlock(what, rounded);
        byte* data = _next;
        // Cleared as it is handed out: the rest of a block costs no memory until then.
        NativeMemory.Clear(data, (nuint)rounded);
        _next += rounded;
        _left -= rounded;
        Bytes += rounded;
        return data;
    }

    private void AddBlock(string tensor, long bytes)
    {
        long size = Math.Max(bytes, BlockBytes);
        try
        {
            _next = (byte*)NativeMemory.AlignedAlloc((nuint)size, Alignment);
        }
        catch (OutOfMemoryException exception)
        {
            throw new InsufficientMemoryException(
                $"Arena '{_name}': no memory for {tensor} ({bytes:N0} bytes; {Bytes:N0} already in use).", exception);
        }
        _blocks.Add((nint)_next);
        _left = size;
    }
}

using System.Runtime.InteropServices;

namespace Finery.Tensors;

/// <summary>
/// Owns native, zeroed, 64-byte-aligned memory for a group of tensors that live and die together. Everything a training step touches
/// is allocated here before the first step, so that a step asks neither the garbage collector nor the operating system for memory.
/// </summary>
/// <param name="name">For errors.</param>
/// <param name="floats">What <see cref="Floats"/> allocates: <see cref="DType.F64"/> where the reference computes exact gradients.</param>
public sealed unsafe class Arena(string name, DType floats = DType.F32) : IDisposable
{
    /// <summary>Alignment of every tensor in bytes: one cache line, one AVX-512 register.</summary>
    public const int Alignment = 64;

    private const long BlockBytes = 16 << 20;

    private readonly List<nint> _blocks = [];
    private byte* _next;
    private long _left;
    private bool _disposed;

    /// <summary>Bytes handed out so far.</summary>
    public long Bytes { get; private set; }

    /// <summary>Allocates a zeroed tensor.</summary>
    /// <exception cref="InsufficientMemoryException">The operating system has no memory; the message names arena, tensor and sizes.</exception>
    public Tensor Allocate(string tensor, DType type, params ReadOnlySpan<int> shape)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (shape.Length > 4) throw new ArgumentException($"{tensor}: {shape.Length} dimensions, at most 4.", nameof(shape));
        long bytes = checked(Tensor.Product(shape) * type.ByteSize());
        long rounded = Math.Max(Alignment, (bytes + Alignment - 1) / Alignment * Alignment);
        if (rounded > _left) AddBlock(tensor, rounded);
        byte* data = _next;
        _next += rounded;
        _left -= rounded;
        Bytes += rounded;
        return new Tensor(tensor, type, shape.ToArray(), data);
    }

    /// <summary>Allocates a float tensor, of the arena's type of floats.</summary>
    public Tensor Floats(string tensor, params ReadOnlySpan<int> shape) => Allocate(tensor, floats, shape);

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
                $"Arena '{name}': no memory for {tensor} ({bytes:N0} bytes; {Bytes:N0} already in use).", exception);
        }
        NativeMemory.Clear(_next, (nuint)size);
        _blocks.Add((nint)_next);
        _left = size;
    }
}

using System.Runtime.InteropServices;

namespace Finery.Tensors;

/// <summary>Native memory that grows to the largest size ever asked for, so that an op allocates on its first call only.</summary>
internal sealed unsafe class Scratch : IDisposable
{
    private float* _data;
    private long _capacity;

    ~Scratch() => Free();

    /// <summary>Bytes held.</summary>
    public long Bytes => _capacity * sizeof(float);

    /// <summary>At least <paramref name="count"/> floats, 64-byte aligned, with undefined content; valid until the next call.</summary>
    /// <exception cref="InsufficientMemoryException">The operating system has no memory.</exception>
    public float* Floats(long count)
    {
        if (count <= _capacity) return _data;
        Free();
        try
        {
            _data = (float*)NativeMemory.AlignedAlloc(checked((nuint)count * sizeof(float)), Arena.Alignment);
        }
        catch (OutOfMemoryException exception)
        {
            throw new InsufficientMemoryException($"No memory for {count * sizeof(float):N0} bytes of kernel scratch.", exception);
        }
        _capacity = count;
        return _data;
    }

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        NativeMemory.AlignedFree(_data);
        _data = null;
        _capacity = 0;
    }
}

using System.Runtime.InteropServices;
using Finery.Models.Weights;
using Finery.Tensors;

namespace Finery.Training.Monitoring;

/// <summary>F32 and BF16 elements as floats.</summary>
internal static class WideFloats
{
    /// <summary>Widens elements of <paramref name="type"/>.</summary>
    public static void Read(ReadOnlySpan<byte> source, DType type, Span<float> destination)
    {
        if (type == DType.BF16) StoredFloats.WidenBFloat16(source, destination);
        else MemoryMarshal.Cast<byte, float>(source).CopyTo(destination);
    }

    /// <summary>Widens columns <paramref name="from"/>... of a row of <paramref name="tensor"/>.</summary>
    public static void Read(Tensor tensor, int row, int from, Span<float> destination)
    {
        int size = tensor.Type == DType.BF16 ? sizeof(ushort) : sizeof(float);
        Read(tensor.Bytes.Slice((row * tensor.Columns + from) * size, destination.Length * size), tensor.Type, destination);
    }
}

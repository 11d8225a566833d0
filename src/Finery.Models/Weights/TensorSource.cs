using System.Runtime.InteropServices;
using Finery.Tensors;

namespace Finery.Models.Weights;

/// <summary>How floats are stored in a file of weights.</summary>
public enum SafeTensorType
{
    /// <summary>All 32 bits.</summary>
    F32,

    /// <summary>bfloat16, rounded to nearest even.</summary>
    BF16,

    /// <summary>IEEE half precision, rounded to nearest even; infinite beyond 65504.</summary>
    F16,
}

/// <summary>A tensor to be written, whose values are made or read only when its turn comes: a writer never holds all of them.</summary>
/// <param name="Name">Name in the file.</param>
/// <param name="Type">Element type as the format spells it.</param>
/// <param name="Shape">Dimensions, outermost first.</param>
/// <param name="Write">Writes exactly the bytes of such a tensor.</param>
public sealed record TensorSource(string Name, string Type, IReadOnlyList<long> Shape, Action<Stream> Write)
{
    private const int ChunkElements = 1 << 16;

    /// <summary>A tensor in memory.</summary>
    /// <param name="tensor">F32 and BF16, or I32 and U16 to be stored as such.</param>
    /// <param name="type">How F32 and BF16 are stored; null keeps each as it is.</param>
    /// <exception cref="ArgumentException">A type that cannot be stored.</exception>
    public static TensorSource Of(NamedTensor tensor, SafeTensorType? type = null)
    {
        var values = tensor.Tensor;
        bool weights = values.Type is DType.F32 or DType.BF16;
        if (!weights && values.Type is not (DType.I32 or DType.U16))
            throw new ArgumentException($"{values} cannot be stored: expected F32, BF16, I32 or U16.", nameof(tensor));
        string stored = (weights ? type?.ToString() : null) ?? values.Type.ToString();
        long[] shape = [.. values.Shape.ToArray().Select(size => (long)size)];
        return new(tensor.Name, stored, shape, stream => WriteData(stream, values, stored));
    }

    private static void WriteData(Stream stream, Tensor tensor, string stored)
    {
        switch (tensor.Type, stored)
        {
            case (DType.F32, "BF16"): WriteConverted<float, BFloat16>(stream, tensor.Floats, StoredFloats.Round); break;
            case (DType.F32, "F16"): WriteConverted<float, Half>(stream, tensor.Floats, Round); break;
            case (DType.BF16, "F32"): WriteConverted<BFloat16, float>(stream, tensor.BFloat16s, Widen); break;
            case (DType.BF16, "F16"): WriteConverted<BFloat16, Half>(stream, tensor.BFloat16s, Round); break;
            case (DType.F32, _): WriteElements<float>(stream, tensor.Floats); break;
            case (DType.BF16, _): WriteElements<BFloat16>(stream, tensor.BFloat16s); break;
            case (DType.U16, _): WriteElements<ushort>(stream, tensor.UInt16s); break;
            default: WriteElements<int>(stream, tensor.Integers); break;
        }
    }

    private delegate void Conversion<TFrom, TTo>(ReadOnlySpan<TFrom> values, Span<TTo> converted);

    private static void WriteConverted<TFrom, TTo>(Stream stream, ReadOnlySpan<TFrom> values, Conversion<TFrom, TTo> convert)
        where TFrom : unmanaged where TTo : unmanaged
    {
        var chunk = new TTo[Math.Min(ChunkElements, values.Length)];
        for (int start = 0; start < values.Length; start += ChunkElements)
        {
            var source = values.Slice(start, Math.Min(ChunkElements, values.Length - start));
            convert(source, chunk.AsSpan(0, source.Length));
            stream.Write(MemoryMarshal.AsBytes<TTo>(chunk.AsSpan(0, source.Length)));
        }
    }

    private static void WriteElements<TElement>(Stream stream, ReadOnlySpan<TElement> values) where TElement : unmanaged
    {
        const int Piece = 1 << 22;
        for (int start = 0; start < values.Length; start += Piece)
            stream.Write(MemoryMarshal.AsBytes(values.Slice(start, Math.Min(Piece, values.Length - start))));
    }

    private static void Widen(ReadOnlySpan<BFloat16> values, Span<float> converted) =>
        StoredFloats.WidenBFloat16(MemoryMarshal.AsBytes(values), converted);

    private static void Round(ReadOnlySpan<float> values, Span<Half> converted)
    {
        for (int i = 0; i < values.Length; i++) converted[i] = (Half)values[i];
    }

    private static void Round(ReadOnlySpan<BFloat16> values, Span<Half> converted)
    {
        for (int i = 0; i < values.Length; i++) converted[i] = (Half)(float)values[i];
    }
}

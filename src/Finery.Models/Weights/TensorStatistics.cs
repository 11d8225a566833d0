using System.Numerics;
using System.Runtime.CompilerServices;

namespace Finery.Models.Weights;

/// <summary>What the values of a stored tensor look like, computed in place and in double precision.</summary>
/// <param name="NonFinite">NaN and infinities, which the others leave out.</param>
/// <param name="Min">Least.</param>
/// <param name="Max">Greatest.</param>
/// <param name="Mean">Their mean.</param>
/// <param name="Deviation">Root mean square distance from it.</param>
public sealed record TensorStatistics(long NonFinite, double Min, double Max, double Mean, double Deviation)
{
    private const int Piece = 4096;

    private static readonly Dictionary<string, Func<MappedBytes, TensorStatistics?>> ByType = new(StringComparer.Ordinal)
    {
        ["F64"] = Of<double>, ["F32"] = Of<float>, ["F16"] = OfHalves, ["BF16"] = OfBFloat16s, ["U8"] = Of<byte>, ["I8"] = Of<sbyte>,
        ["U16"] = Of<ushort>, ["I16"] = Of<short>, ["U32"] = Of<uint>, ["I32"] = Of<int>, ["U64"] = Of<ulong>, ["I64"] = Of<long>,
    };

    /// <summary>Looks at every element.</summary>
    /// <param name="type">Element type as safetensors and ggml spell it.</param>
    /// <param name="bytes">Little-endian elements.</param>
    /// <returns>Null for other types and without elements; NaN for what no finite element gives.</returns>
    public static TensorStatistics? Of(string type, MappedBytes bytes) =>
        ByType.TryGetValue(type, out var statistics) ? statistics(bytes) : null;

    private static TensorStatistics? Of<TNumber>(MappedBytes bytes) where TNumber : unmanaged, INumber<TNumber> =>
        Of(bytes, Unsafe.SizeOf<TNumber>(), (source, destination) =>
        {
            for (int i = 0; i < destination.Length; i++)
            {
                destination[i] = double.CreateTruncating(
                    Unsafe.ReadUnaligned<TNumber>(in source[i * Unsafe.SizeOf<TNumber>()]));
            }
        });

    private static TensorStatistics? OfHalves(MappedBytes bytes) => OfFloats(bytes, StoredFloats.WidenHalf);

    private static TensorStatistics? OfBFloat16s(MappedBytes bytes) => OfFloats(bytes, StoredFloats.WidenBFloat16);

    private static TensorStatistics? OfFloats(MappedBytes bytes, Action<ReadOnlySpan<byte>, Span<float>> widen)
    {
        var floats = new float[Piece];
        return Of(bytes, sizeof(ushort), (source, destination) =>
        {
            widen(source, floats.AsSpan(0, destination.Length));
            for (int i = 0; i < destination.Length; i++) destination[i] = floats[i];
        });
    }

    private static TensorStatistics? Of(MappedBytes bytes, int size, Action<ReadOnlySpan<byte>, Span<double>> read)
    {
        var values = new double[Piece];
        long finite = 0, others = 0, count = bytes.Length / size;
        // Sums of distances from the first value: no digits are lost where all values are large and alike.
        double first = 0, sum = 0, squares = 0, min = double.PositiveInfinity, max = double.NegativeInfinity;
        for (long start = 0; start < count; start += Piece)
        {
            var part = values.AsSpan(0, (int)Math.Min(Piece, count - start));
            read(bytes.Slice(start * size, part.Length * size), part);
            foreach (double value in part)
            {
                if (!double.IsFinite(value))
                {
                    others++;
                    continue;
                }
                if (finite++ == 0) first = value;
                double distance = value - first;
                sum += distance;
                squares += distance * distance;
                min = Math.Min(min, value);
                max = Math.Max(max, value);
            }
        }
        if (finite == 0) return others == 0 ? null : new(others, double.NaN, double.NaN, double.NaN, double.NaN);
        double mean = sum / finite;
        return new(others, min, max, first + mean, Math.Sqrt(Math.Max(0, squares / finite - mean * mean)));
    }
}

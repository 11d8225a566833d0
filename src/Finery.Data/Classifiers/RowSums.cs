using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Finery.Data.Classifiers;

/// <summary>Adds rows of a matrix to a vector, one after the other: the order in which floats are added decides their last
/// bits.</summary>
internal interface IRowSum
{
    /// <summary>sum += each of the rows, which exist.</summary>
    void Add(ReadOnlySpan<int> rows, Span<float> sum);
}

/// <summary>Rows of floats. Columns are taken in blocks that stay in registers while all rows go by.</summary>
internal sealed class DenseRows(float[] values, int columns) : IRowSum
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Add(ReadOnlySpan<int> rows, Span<float> sum)
    {
        ref var first = ref MemoryMarshal.GetArrayDataReference(values);
        ref var target = ref MemoryMarshal.GetReference(sum);
        var column = 0;
        for (; column + 32 <= columns; column += 32)
            Add32(rows, ref Unsafe.Add(ref first, column), ref Unsafe.Add(ref target, column));
        for (; column + 16 <= columns; column += 16)
            Add16(rows, ref Unsafe.Add(ref first, column), ref Unsafe.Add(ref target, column));
        for (; column + 4 <= columns; column += 4)
            Add4(rows, ref Unsafe.Add(ref first, column), ref Unsafe.Add(ref target, column));
        for (; column < columns; column++)
            foreach (var row in rows)
                sum[column] += Unsafe.Add(ref first, (nint)row * columns + column);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Add32(ReadOnlySpan<int> rows, ref float first, ref float target)
    {
        var a = Vector256.LoadUnsafe(ref target);
        var b = Vector256.LoadUnsafe(ref target, 8);
        var c = Vector256.LoadUnsafe(ref target, 16);
        var d = Vector256.LoadUnsafe(ref target, 24);
        foreach (var row in rows)
        {
            ref var source = ref Unsafe.Add(ref first, (nint)row * columns);
            a += Vector256.LoadUnsafe(ref source);
            b += Vector256.LoadUnsafe(ref source, 8);
            c += Vector256.LoadUnsafe(ref source, 16);
            d += Vector256.LoadUnsafe(ref source, 24);
        }
        a.StoreUnsafe(ref target);
        b.StoreUnsafe(ref target, 8);
        c.StoreUnsafe(ref target, 16);
        d.StoreUnsafe(ref target, 24);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Add16(ReadOnlySpan<int> rows, ref float first, ref float target)
    {
        var a = Vector256.LoadUnsafe(ref target);
        var b = Vector256.LoadUnsafe(ref target, 8);
        foreach (var row in rows)
        {
            ref var source = ref Unsafe.Add(ref first, (nint)row * columns);
            a += Vector256.LoadUnsafe(ref source);
            b += Vector256.LoadUnsafe(ref source, 8);
        }
        a.StoreUnsafe(ref target);
        b.StoreUnsafe(ref target, 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Add4(ReadOnlySpan<int> rows, ref float first, ref float target)
    {
        var a = Vector128.LoadUnsafe(ref target);
        foreach (var row in rows)
            a += Vector128.LoadUnsafe(ref Unsafe.Add(ref first, (nint)row * columns));
        a.StoreUnsafe(ref target);
    }
}

/// <summary>Rows of codes, for matrices too large to be unpacked.</summary>
internal sealed class CodedRows(byte[] codes, ProductQuantiser quantiser, byte[]? normCodes, float[]? norms) : IRowSum
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Add(ReadOnlySpan<int> rows, Span<float> sum)
    {
        var parts = quantiser.PartCount;
        foreach (var row in rows)
        {
            var norm = normCodes is null ? 1f : norms![normCodes[row]];
            var code = codes.AsSpan((int)((long)row * parts), parts);
            for (var part = 0; part < parts; part++)
            {
                var centroid = quantiser.Centroid(part, code[part]);
                var target = sum.Slice(part * quantiser.PartSize, centroid.Length);
                for (var i = 0; i < centroid.Length; i++)
                    target[i] += norm * centroid[i];
            }
        }
    }
}

using System.Runtime.CompilerServices;

namespace Finery.Tensors;

/// <summary>The small matrix products and copies that attention is made of, all in scratch memory padded to whole tiles.</summary>
internal static unsafe class AttentionTiles
{
    /// <summary>Rows of a register tile.</summary>
    public const int Rows = 4;

    /// <summary>Keys taken at a time, and the row length of score blocks. A multiple of every width.</summary>
    public const int Keys = 64;

    public static int RoundUp(int value, int multiple) => (value + multiple - 1) / multiple * multiple;

    /// <summary><c>C (+)= A B</c> for <see cref="Rows"/> rows of A at any strides and row-major B and C.</summary>
    /// <param name="a">Element (row r, step s) is at <c>r aRow + s aStep</c>.</param>
    /// <param name="aRow">Distance between rows of A.</param>
    /// <param name="aStep">Distance between steps of A.</param>
    /// <param name="b">[steps, columns].</param>
    /// <param name="bRow">Distance between rows of B.</param>
    /// <param name="steps">Length of the inner dimension.</param>
    /// <param name="c">[<see cref="Rows"/>, columns].</param>
    /// <param name="cRow">Distance between rows of C.</param>
    /// <param name="columns">A multiple of the width.</param>
    /// <param name="add">Whether to add to C or overwrite it.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply<W, V>(
        float* a, nint aRow, nint aStep, float* b, nint bRow, int steps, float* c, nint cRow, int columns, bool add)
        where W : struct, IWidth<V> where V : struct
    {
        int column = 0;
        for (; column <= columns - 2 * W.Count; column += 2 * W.Count)
        {
            V zero = W.Broadcast(0), c00 = zero, c01 = zero, c10 = zero, c11 = zero, c20 = zero, c21 = zero, c30 = zero, c31 = zero;
            float* x = a, y = b + column;
            for (int step = 0; step < steps; step++, x += aStep, y += bRow)
            {
                V left = W.Load(y), right = W.Load(y + W.Count), factor = W.Broadcast(x[0]);
                c00 = W.MultiplyAdd(factor, left, c00);
                c01 = W.MultiplyAdd(factor, right, c01);
                factor = W.Broadcast(x[aRow]);
                c10 = W.MultiplyAdd(factor, left, c10);
                c11 = W.MultiplyAdd(factor, right, c11);
                factor = W.Broadcast(x[2 * aRow]);
                c20 = W.MultiplyAdd(factor, left, c20);
                c21 = W.MultiplyAdd(factor, right, c21);
                factor = W.Broadcast(x[3 * aRow]);
                c30 = W.MultiplyAdd(factor, left, c30);
                c31 = W.MultiplyAdd(factor, right, c31);
            }
            float* destination = c + column;
            Put<W, V>(c00, destination, add);
            Put<W, V>(c01, destination + W.Count, add);
            Put<W, V>(c10, destination + cRow, add);
            Put<W, V>(c11, destination + cRow + W.Count, add);
            Put<W, V>(c20, destination + 2 * cRow, add);
            Put<W, V>(c21, destination + 2 * cRow + W.Count, add);
            Put<W, V>(c30, destination + 3 * cRow, add);
            Put<W, V>(c31, destination + 3 * cRow + W.Count, add);
        }
        for (; column < columns; column += W.Count)
        {
            V zero = W.Broadcast(0), c0 = zero, c1 = zero, c2 = zero, c3 = zero;
            float* x = a, y = b + column;
            for (int step = 0; step < steps; step++, x += aStep, y += bRow)
            {
                V factor = W.Load(y);
                c0 = W.MultiplyAdd(W.Broadcast(x[0]), factor, c0);
                c1 = W.MultiplyAdd(W.Broadcast(x[aRow]), factor, c1);
                c2 = W.MultiplyAdd(W.Broadcast(x[2 * aRow]), factor, c2);
                c3 = W.MultiplyAdd(W.Broadcast(x[3 * aRow]), factor, c3);
            }
            float* destination = c + column;
            Put<W, V>(c0, destination, add);
            Put<W, V>(c1, destination + cRow, add);
            Put<W, V>(c2, destination + 2 * cRow, add);
            Put<W, V>(c3, destination + 3 * cRow, add);
        }
    }

    /// <summary>Copies <paramref name="count"/> floats times <paramref name="factor"/> and pads with zeros to <paramref name="padded"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void CopyScaled<W, V>(float* source, float factor, float* destination, int count, int padded)
        where W : struct, IWidth<V> where V : struct
    {
        V factors = W.Broadcast(factor);
        int i = 0;
        for (; i <= count - W.Count; i += W.Count) W.Store(W.Multiply(W.Load(source + i), factors), destination + i);
        for (; i < count; i++) destination[i] = source[i] * factor;
        for (; i < padded; i++) destination[i] = 0;
    }

    /// <summary>Transposes <paramref name="keys"/> rows of <paramref name="size"/> floats into rows of <see cref="Keys"/>, padding each
    /// with zeros to a multiple of the width.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Transpose<W, V>(float* source, nint row, int keys, int size, float* destination)
        where W : struct, IWidth<V> where V : struct
    {
        int padded = RoundUp(keys, W.Count);
        for (int key = 0; key < padded; key++, source += row)
        {
            for (int d = 0; d < size; d++) destination[d * Keys + key] = key < keys ? source[d] : 0;
        }
    }

    /// <summary>Sum of products.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Dot<W, V>(float* a, float* b, int count) where W : struct, IWidth<V> where V : struct
    {
        V sums = W.Broadcast(0);
        float sum = 0;
        int i = 0;
        for (; i <= count - W.Count; i += W.Count) sums = W.MultiplyAdd(W.Load(a + i), W.Load(b + i), sums);
        for (; i < count; i++) sum += a[i] * b[i];
        return sum + W.Sum(sums);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put<W, V>(V value, float* destination, bool add) where W : struct, IWidth<V> where V : struct =>
        W.Store(add ? W.Add(W.Load(destination), value) : value, destination);
}

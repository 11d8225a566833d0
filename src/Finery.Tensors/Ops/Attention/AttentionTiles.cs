using System.Runtime.CompilerServices;

namespace Finery.Tensors;

/// <summary>The small matrix products and copies that attention is made of, all in scratch memory padded to whole tiles.</summary>
internal static unsafe class AttentionTiles
{
    /// <summary>Rows of a register tile.</summary>
    public const int Rows = 6;

    /// <summary>Keys taken at a time, and the row length of score blocks. A multiple of <see cref="Rows"/> and of every width.</summary>
    public const int Keys = 48;

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
            V zero = W.Broadcast(0), c00 = zero, c01 = zero, c10 = zero, c11 = zero, c20 = zero, c21 = zero;
            V c30 = zero, c31 = zero, c40 = zero, c41 = zero, c50 = zero, c51 = zero;
            float* x = a, y = b + column;
            for (int step = 0; step < steps; step++, x += aStep, y += bRow)
            {
                float* z = x + 3 * aRow;
                V left = W.Load(y), right = W.Load(y + W.Count);
                V factor = W.Broadcast(x[0]);
                c00 = W.MultiplyAdd(factor, left, c00);
                c01 = W.MultiplyAdd(factor, right, c01);
                factor = W.Broadcast(x[aRow]);
                c10 = W.MultiplyAdd(factor, left, c10);
                c11 = W.MultiplyAdd(factor, right, c11);
                factor = W.Broadcast(x[2 * aRow]);
                c20 = W.MultiplyAdd(factor, left, c20);
                c21 = W.MultiplyAdd(factor, right, c21);
                factor = W.Broadcast(z[0]);
                c30 = W.MultiplyAdd(factor, left, c30);
                c31 = W.MultiplyAdd(factor, right, c31);
                factor = W.Broadcast(z[aRow]);
                c40 = W.MultiplyAdd(factor, left, c40);
                c41 = W.MultiplyAdd(factor, right, c41);
                factor = W.Broadcast(z[2 * aRow]);
                c50 = W.MultiplyAdd(factor, left, c50);
                c51 = W.MultiplyAdd(factor, right, c51);
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
            Put<W, V>(c40, destination + 4 * cRow, add);
            Put<W, V>(c41, destination + 4 * cRow + W.Count, add);
            Put<W, V>(c50, destination + 5 * cRow, add);
            Put<W, V>(c51, destination + 5 * cRow + W.Count, add);
        }
        for (; column < columns; column += W.Count)
        {
            V zero = W.Broadcast(0), c00 = zero, c10 = zero, c20 = zero, c30 = zero, c40 = zero, c50 = zero;
            float* x = a, y = b + column;
            for (int step = 0; step < steps; step++, x += aStep, y += bRow)
            {
                float* z = x + 3 * aRow;
                V left = W.Load(y);
                c00 = W.MultiplyAdd(W.Broadcast(x[0]), left, c00);
                c10 = W.MultiplyAdd(W.Broadcast(x[aRow]), left, c10);
                c20 = W.MultiplyAdd(W.Broadcast(x[2 * aRow]), left, c20);
                c30 = W.MultiplyAdd(W.Broadcast(z[0]), left, c30);
                c40 = W.MultiplyAdd(W.Broadcast(z[aRow]), left, c40);
                c50 = W.MultiplyAdd(W.Broadcast(z[2 * aRow]), left, c50);
            }
            float* destination = c + column;
            Put<W, V>(c00, destination, add);
            Put<W, V>(c10, destination + cRow, add);
            Put<W, V>(c20, destination + 2 * cRow, add);
            Put<W, V>(c30, destination + 3 * cRow, add);
            Put<W, V>(c40, destination + 4 * cRow, add);
            Put<W, V>(c50, destination + 5 * cRow, add);
        }
    }

    /// <summary>Copies <paramref name="count"/> numbers times <paramref name="factor"/> and pads with zeros to <paramref name="padded"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void CopyScaled<W, V, S, D>(S* source, float factor, D* destination, int count, int padded)
        where W : struct, IWidth<V> where V : struct where S : unmanaged, IElement<S> where D : unmanaged, IElement<D>
    {
        V factors = W.Broadcast(factor);
        int i = 0;
        for (; i <= count - W.Count; i += W.Count) D.Store<W, V>(W.Multiply(S.Load<W, V>(source + i), factors), destination + i);
        for (; i < count; i++) D.Store<Scalar, float>(S.Load<Scalar, float>(source + i) * factor, destination + i);
        for (; i < padded; i++) D.Store<Scalar, float>(0, destination + i);
    }

    /// <summary>Transposes <paramref name="keys"/> rows of <paramref name="size"/> numbers into rows of <see cref="Keys"/> floats; up to a
    /// multiple of 16 the last key is repeated.</summary>
    public static void Transpose<E>(E* source, long row, int keys, int size, float* destination) where E : unmanaged, IElement<E> =>
        Panels.PackLanes(source, row, keys, size, destination, Keys, RoundUp(keys, 16));

    /// <summary>Sum of products.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Dot<W, V, E>(E* a, E* b, int count) where W : struct, IWidth<V> where V : struct where E : unmanaged, IElement<E>
    {
        V sums = W.Broadcast(0);
        float sum = 0;
        int i = 0;
        for (; i <= count - W.Count; i += W.Count) sums = W.MultiplyAdd(E.Load<W, V>(a + i), E.Load<W, V>(b + i), sums);
        for (; i < count; i++) sum += E.Load<Scalar, float>(a + i) * E.Load<Scalar, float>(b + i);
        return sum + W.Sum(sums);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put<W, V>(V value, float* destination, bool add) where W : struct, IWidth<V> where V : struct =>
        W.Store(add ? W.Add(W.Load(destination), value) : value, destination);
}

using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Finery.Tensors;

/// <summary>Packs blocks of a matrix into panels of bfloat16 pairs: two consecutive steps of the inner dimension make one 32-bit number,
/// the first in its low half, and the numbers of one pair of steps for all lanes (rows of A, columns of B) lie together.</summary>
internal static unsafe class Bf16Panels
{
    /// <summary>Pairs in <paramref name="steps"/> steps, of which the last may be half empty.</summary>
    public static int Pairs(int steps) => (steps + 1) / 2;

    /// <summary><c>panel[p width + l]</c> is the pair of steps 2p and 2p + 1 of lane l; what the matrix lacks is zero.</summary>
    /// <param name="source">F32, rounded to nearest even, or BF16.</param>
    /// <param name="lane">Distance of lanes in elements; this or <paramref name="step"/> is 1.</param>
    /// <param name="step">Distance of steps in elements.</param>
    /// <param name="lanes">Lanes that exist, at most <paramref name="width"/>.</param>
    /// <param name="steps">Steps that exist.</param>
    /// <param name="panel"><see cref="Pairs"/> times <paramref name="width"/> numbers.</param>
    /// <param name="width">Lanes of the panel.</param>
    /// <param name="row">Room for one lane's pairs.</param>
    public static void Pack<E>(E* source, long lane, long step, int lanes, int steps, uint* panel, int width, uint* row)
        where E : unmanaged, IElement<E>
    {
        if (step == 1) PackLanes(source, lane, lanes, steps, panel, width, row);
        else PackSteps(source, step, lanes, steps, panel, width);
    }

    // Lanes with contiguous steps hold their pairs already: they are 32-bit numbers to be transposed. Eight at a time are made so first
    // where they must be rounded, lie at odd addresses, or end in half a pair.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackLanes<E>(E* source, long lane, int lanes, int steps, uint* panel, int width, uint* rows)
        where E : unmanaged, IElement<E>
    {
        int pairs = Pairs(steps);
        if (sizeof(E) == sizeof(BFloat16) && lane % 2 == 0 && steps % 2 == 0)
        {
            Panels.PackLanes((FloatElement*)source, lane / 2, lanes, pairs, (float*)panel, width, width);
            return;
        }
        for (int l = 0; l < lanes; l++) RoundLane(source + l * lane, steps, rows + (long)l * pairs);
        Panels.PackLanes((FloatElement*)rows, pairs, lanes, pairs, (float*)panel, width, width);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void RoundLane<E>(E* source, int steps, uint* pairs) where E : unmanaged, IElement<E>
    {
        var destination = (BFloat16*)pairs;
        int s = 0;
        for (; s <= steps - 8; s += 8) Width256.StoreNarrow(E.Load<Width256, Vector256<float>>(source + s), destination + s);
        for (; s < steps; s++) Scalar.StoreNarrow(E.Load<Scalar, float>(source + s), destination + s);
        if (steps % 2 != 0) destination[steps] = default;
    }

    // Lanes are contiguous: two steps are rounded side by side and interleaved.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackSteps<E>(E* source, long step, int lanes, int steps, uint* panel, int width) where E : unmanaged, IElement<E>
    {
        for (int s = 0; s < steps; s += 2, source += 2 * step, panel += width)
        {
            E* second = source + step;
            bool whole = s + 1 < steps;
            int l = 0;
            for (; l <= lanes - 8; l += 8)
            {
                var low = Bits(source + l) >>> 16;
                ((whole ? Bits(second + l) : default) | low).Store(panel + l);
            }
            for (; l < lanes; l++)
            {
                uint low = Bit(source + l) >> 16;
                panel[l] = (whole ? Bit(second + l) : 0) | low;
            }
            for (; l < width; l++) panel[l] = 0;
        }
    }

    private static Vector256<uint> Bits<E>(E* source) where E : unmanaged, IElement<E> =>
        Width256.RoundNarrow(E.Load<Width256, Vector256<float>>(source)).AsUInt32();

    private static uint Bit<E>(E* source) where E : unmanaged, IElement<E> =>
        BitConverter.SingleToUInt32Bits(Scalar.RoundNarrow(E.Load<Scalar, float>(source)));
}

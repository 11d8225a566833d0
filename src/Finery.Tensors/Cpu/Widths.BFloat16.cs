using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using F128 = System.Runtime.Intrinsics.Vector128<float>;
using F256 = System.Runtime.Intrinsics.Vector256<float>;
using F512 = System.Runtime.Intrinsics.Vector512<float>;

namespace Finery.Tensors;

// bfloat16 in memory, floats in registers. Rounding is to nearest even: half of the last kept bit is added, less one where that bit is
// even; NaN, which the addition could turn into something else, keeps its high half and becomes quiet.
internal unsafe partial interface IWidth<V>
{
    /// <summary>Widens exactly.</summary>
    static abstract V LoadWide(BFloat16* source);

    /// <summary>Rounds to nearest even; NaN stays NaN.</summary>
    static abstract void StoreNarrow(V value, BFloat16* destination);

    /// <summary>The values as storing and loading them as bfloat16 would leave them.</summary>
    static abstract V RoundNarrow(V value);

    /// <summary>Floats from their high and low halves.</summary>
    static abstract V LoadSplit(BFloat16* high, ushort* low);

    /// <summary>Floats to their high and low halves.</summary>
    static abstract void StoreSplit(V value, BFloat16* high, ushort* low);

    /// <summary>Rounds up with the probability of the cut-off part over the distance of the neighbours, down otherwise; random bits
    /// are <see cref="StochasticRounding.Bits"/> of the counters from <paramref name="counter"/> on.</summary>
    static abstract void StoreStochastic(V value, BFloat16* destination, StochasticRounding rounding, uint counter);
}

internal readonly unsafe partial struct Width512
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F512 LoadWide(BFloat16* source) => (Widen((ushort*)source) << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreNarrow(F512 value, BFloat16* destination) => StoreLow(Rounded(value) >>> 16, (ushort*)destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F512 RoundNarrow(F512 value) => (Rounded(value) & Vector512.Create(0xFFFF0000)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F512 LoadSplit(BFloat16* high, ushort* low) => ((Widen((ushort*)high) << 16) | Widen(low)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreSplit(F512 value, BFloat16* high, ushort* low)
    {
        StoreLow(value.AsUInt32() >>> 16, (ushort*)high);
        StoreLow(value.AsUInt32() & Vector512.Create(0xFFFFu), low);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreStochastic(F512 value, BFloat16* destination, StochasticRounding rounding, uint counter)
    {
        var x = (Vector512<uint>.Indices + Vector512.Create(counter)) ^ Vector512.Create(rounding.First);
        x = (x ^ (x >>> 16)) * StochasticRounding.Factor1;
        x = (x ^ (x >>> 15)) * StochasticRounding.Factor2;
        x = (x ^ (x >>> 15)) + Vector512.Create(rounding.Second);
        x = (x ^ (x >>> 16)) * StochasticRounding.Factor1;
        x = (x ^ (x >>> 15)) * StochasticRounding.Factor2;
        var bits = value.AsUInt32();
        var finite = Vector512.LessThan(bits & Vector512.Create(0x7F800000u), Vector512.Create(0x7F800000u));
        var rounded = (bits + (x >>> 16)) >>> 16;
        StoreLow(Vector512.ConditionalSelect(finite, rounded, Rounded(value) >>> 16), (ushort*)destination);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Rounded(F512 value)
    {
        var bits = value.AsUInt32();
        var rounded = bits + Vector512.Create(0x7FFFu) + ((bits >>> 16) & Vector512<uint>.One);
        return Vector512.ConditionalSelect(
            Vector512.Equals(value, value).AsUInt32(), rounded, bits | Vector512.Create(0x400000u));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Widen(ushort* source) => Avx512F.IsSupported
        ? Avx512F.ConvertToVector512UInt32(Vector256.Load(source))
        : Vector512.Create(Vector256.WidenLower(Vector256.Load(source)), Vector256.WidenUpper(Vector256.Load(source)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreLow(Vector512<uint> value, ushort* destination)
    {
        if (Avx512F.IsSupported) Avx512F.ConvertToVector256UInt16(value).Store(destination);
        else Vector256.Narrow(value.GetLower(), value.GetUpper()).Store(destination);
    }
}

internal readonly unsafe partial struct Width256
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F256 LoadWide(BFloat16* source) => (Widen((ushort*)source) << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreNarrow(F256 value, BFloat16* destination) => StoreLow(Rounded(value) >>> 16, (ushort*)destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F256 RoundNarrow(F256 value) => (Rounded(value) & Vector256.Create(0xFFFF0000)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F256 LoadSplit(BFloat16* high, ushort* low) => ((Widen((ushort*)high) << 16) | Widen(low)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreSplit(F256 value, BFloat16* high, ushort* low)
    {
        StoreLow(value.AsUInt32() >>> 16, (ushort*)high);
        StoreLow(value.AsUInt32() & Vector256.Create(0xFFFFu), low);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreStochastic(F256 value, BFloat16* destination, StochasticRounding rounding, uint counter)
    {
        var x = (Vector256<uint>.Indices + Vector256.Create(counter)) ^ Vector256.Create(rounding.First);
        x = (x ^ (x >>> 16)) * StochasticRounding.Factor1;
        x = (x ^ (x >>> 15)) * StochasticRounding.Factor2;
        x = (x ^ (x >>> 15)) + Vector256.Create(rounding.Second);
        x = (x ^ (x >>> 16)) * StochasticRounding.Factor1;
        x = (x ^ (x >>> 15)) * StochasticRounding.Factor2;
        var bits = value.AsUInt32();
        // Signed comparison: neither side has its highest bit set.
        var finite = Vector256.LessThan((bits & Vector256.Create(0x7F800000u)).AsInt32(), Vector256.Create(0x7F800000)).AsUInt32();
        var rounded = (bits + (x >>> 16)) >>> 16;
        StoreLow(Vector256.ConditionalSelect(finite, rounded, Rounded(value) >>> 16), (ushort*)destination);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> Rounded(F256 value)
    {
        var bits = value.AsUInt32();
        var rounded = bits + Vector256.Create(0x7FFFu) + ((bits >>> 16) & Vector256<uint>.One);
        return Vector256.ConditionalSelect(
            Vector256.Equals(value, value).AsUInt32(), rounded, bits | Vector256.Create(0x400000u));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> Widen(ushort* source) => Avx2.IsSupported
        ? Avx2.ConvertToVector256Int32(source).AsUInt32()
        : Vector256.Create(Vector128.WidenLower(Vector128.Load(source)), Vector128.WidenUpper(Vector128.Load(source)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreLow(Vector256<uint> value, ushort* destination)
    {
        if (Sse41.IsSupported) Sse41.PackUnsignedSaturate(value.GetLower().AsInt32(), value.GetUpper().AsInt32()).Store(destination);
        else Vector128.Narrow(value.GetLower(), value.GetUpper()).Store(destination);
    }
}

internal readonly unsafe partial struct Width128
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F128 LoadWide(BFloat16* source) => (Widen((ushort*)source) << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreNarrow(F128 value, BFloat16* destination) => StoreLow(Rounded(value) >>> 16, (ushort*)destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F128 RoundNarrow(F128 value) => (Rounded(value) & Vector128.Create(0xFFFF0000)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F128 LoadSplit(BFloat16* high, ushort* low) => ((Widen((ushort*)high) << 16) | Widen(low)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreSplit(F128 value, BFloat16* high, ushort* low)
    {
        StoreLow(value.AsUInt32() >>> 16, (ushort*)high);
        StoreLow(value.AsUInt32() & Vector128.Create(0xFFFFu), low);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreStochastic(F128 value, BFloat16* destination, StochasticRounding rounding, uint counter)
    {
        var x = (Vector128<uint>.Indices + Vector128.Create(counter)) ^ Vector128.Create(rounding.First);
        x = (x ^ (x >>> 16)) * StochasticRounding.Factor1;
        x = (x ^ (x >>> 15)) * StochasticRounding.Factor2;
        x = (x ^ (x >>> 15)) + Vector128.Create(rounding.Second);
        x = (x ^ (x >>> 16)) * StochasticRounding.Factor1;
        x = (x ^ (x >>> 15)) * StochasticRounding.Factor2;
        var bits = value.AsUInt32();
        var finite = Vector128.LessThan((bits & Vector128.Create(0x7F800000u)).AsInt32(), Vector128.Create(0x7F800000)).AsUInt32();
        var rounded = (bits + (x >>> 16)) >>> 16;
        StoreLow(Vector128.ConditionalSelect(finite, rounded, Rounded(value) >>> 16), (ushort*)destination);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<uint> Rounded(F128 value)
    {
        var bits = value.AsUInt32();
        var rounded = bits + Vector128.Create(0x7FFFu) + ((bits >>> 16) & Vector128<uint>.One);
        return Vector128.ConditionalSelect(
            Vector128.Equals(value, value).AsUInt32(), rounded, bits | Vector128.Create(0x400000u));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<uint> Widen(ushort* source) =>
        Vector128.WidenLower(Vector128.CreateScalarUnsafe(Unsafe.ReadUnaligned<ulong>(source)).AsUInt16());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreLow(Vector128<uint> value, ushort* destination) =>
        Unsafe.WriteUnaligned(destination, Vector128.Narrow(value, value).AsUInt64().ToScalar());
}

internal readonly unsafe partial struct Scalar
{
    public static float LoadWide(BFloat16* source) => (float)*source;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreNarrow(float value, BFloat16* destination) => *destination = (BFloat16)value;

    public static float RoundNarrow(float value) => (float)(BFloat16)value;

    public static float LoadSplit(BFloat16* high, ushort* low) =>
        BitConverter.UInt32BitsToSingle(((uint)high->Bits << 16) | *low);

    public static void StoreSplit(float value, BFloat16* high, ushort* low)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        (*high, *low) = (new((ushort)(bits >> 16)), (ushort)bits);
    }

    public static void StoreStochastic(float value, BFloat16* destination, StochasticRounding rounding, uint counter) =>
        *destination = rounding.Round(value, counter);
}

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Finery.Tensors;

namespace Finery.Models.Weights;

/// <summary>Conversions between the 16-bit floats of files and the types of tensors. Sources may lie at any address.</summary>
public static class StoredFloats
{
    // Eight 16-bit elements at a time: the width every processor has, for loops that memory bounds.
    private static int Width => Vector128<ushort>.Count;

    /// <summary>bfloat16 to float, exact.</summary>
    /// <param name="source">Little-endian elements.</param>
    /// <param name="destination">As many.</param>
    public static void WidenBFloat16(ReadOnlySpan<byte> source, Span<float> destination)
    {
        ref byte from = ref Checked(source, sizeof(ushort), destination.Length);
        ref float to = ref MemoryMarshal.GetReference(destination);
        int i = 0;
        for (; i <= destination.Length - Width; i += Width)
        {
            var (low, high) = Vector128.Widen(Load(ref from, i));
            Vector128.ShiftLeft(low, 16).AsSingle().StoreUnsafe(ref to, (nuint)i);
            Vector128.ShiftLeft(high, 16).AsSingle().StoreUnsafe(ref to, (nuint)(i + Width / 2));
        }
        for (; i < destination.Length; i++) destination[i] = (float)new BFloat16(Element(ref from, i));
    }

    /// <summary>IEEE half to float, exact.</summary>
    /// <param name="source">Little-endian elements.</param>
    /// <param name="destination">As many.</param>
    public static void WidenHalf(ReadOnlySpan<byte> source, Span<float> destination)
    {
        ref byte from = ref Checked(source, sizeof(ushort), destination.Length);
        ref float to = ref MemoryMarshal.GetReference(destination);
        int i = 0;
        for (; i <= destination.Length - Width; i += Width)
        {
            var (low, high) = Vector128.Widen(Load(ref from, i));
            WidenHalf(low).StoreUnsafe(ref to, (nuint)i);
            WidenHalf(high).StoreUnsafe(ref to, (nuint)(i + Width / 2));
        }
        for (; i < destination.Length; i++) destination[i] = (float)BitConverter.UInt16BitsToHalf(Element(ref from, i));
    }

    /// <summary>Float to bfloat16, to nearest even.</summary>
    public static void Round(ReadOnlySpan<float> source, Span<BFloat16> destination)
    {
        if (source.Length != destination.Length)
            throw new ArgumentException($"{source.Length} elements do not fit {destination.Length}.", nameof(destination));
        ref float from = ref MemoryMarshal.GetReference(source);
        ref ushort to = ref Unsafe.As<BFloat16, ushort>(ref MemoryMarshal.GetReference(destination));
        int i = 0;
        for (; i <= source.Length - Width; i += Width)
        {
            var low = Rounded(Vector128.LoadUnsafe(ref from, (nuint)i));
            var high = Rounded(Vector128.LoadUnsafe(ref from, (nuint)(i + Width / 2)));
            Vector128.Narrow(low, high).StoreUnsafe(ref to, (nuint)i);
        }
        for (; i < source.Length; i++) destination[i] = (BFloat16)source[i];
    }

    /// <summary>The exponent moves by 127 - 15; half's subnormals become normal by a subtraction, infinities and NaN keep the largest
    /// exponent.</summary>
    private static Vector128<float> WidenHalf(Vector128<uint> bits)
    {
        var magnitude = (bits & Vector128.Create(0x7FFFu)) << 13;
        var exponent = magnitude & Vector128.Create(0x7C00u << 13);
        var moved = magnitude + Vector128.Create(112u << 23);
        var subnormal = (moved + Vector128.Create(1u << 23)).AsSingle() - Vector128.Create(113u << 23).AsSingle();
        var special = moved + Vector128.Create(112u << 23);
        var widened = Vector128.ConditionalSelect(Vector128.Equals(exponent, Vector128<uint>.Zero), subnormal.AsUInt32(),
            Vector128.ConditionalSelect(Vector128.Equals(exponent, Vector128.Create(0x7C00u << 13)), special, moved));
        return (widened | ((bits & Vector128.Create(0x8000u)) << 16)).AsSingle();
    }

    private static Vector128<uint> Rounded(Vector128<float> values)
    {
        var bits = values.AsUInt32();
        var nearest = (bits + Vector128.Create(0x7FFFu) + ((bits >> 16) & Vector128<uint>.One)) >> 16;
        var quiet = (bits >> 16) | Vector128.Create(0x40u);
        return Vector128.ConditionalSelect(Vector128.Equals(values, values).AsUInt32(), nearest, quiet);
    }

    private static Vector128<ushort> Load(ref byte from, int element) =>
        Vector128.LoadUnsafe(ref from, (nuint)element * sizeof(ushort)).AsUInt16();

    private static ushort Element(ref byte from, int element) =>
        Unsafe.ReadUnaligned<ushort>(ref Unsafe.Add(ref from, (nint)element * sizeof(ushort)));

    private static ref byte Checked(ReadOnlySpan<byte> source, int size, int elements)
    {
        if (source.Length != (long)elements * size)
            throw new ArgumentException($"{source.Length} bytes are not {elements} elements of {size}.", nameof(source));
        return ref MemoryMarshal.GetReference(source);
    }
}

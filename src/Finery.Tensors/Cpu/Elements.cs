using System.Runtime.InteropServices;

namespace Finery.Tensors;

/// <summary>How a number lies in memory; in registers it is a float. Kernels written over it serve every storage type.</summary>
/// <typeparam name="E">The type itself: a pointer to it steps from element to element.</typeparam>
internal unsafe interface IElement<E> where E : unmanaged, IElement<E>
{
    /// <summary>The tensors that hold it.</summary>
    static abstract DType Type { get; }

    /// <summary>Widens exactly.</summary>
    static abstract V Load<W, V>(E* source) where W : struct, IWidth<V> where V : struct;

    /// <summary>Rounds to nearest even.</summary>
    static abstract void Store<W, V>(V value, E* destination) where W : struct, IWidth<V> where V : struct;

    /// <summary>The values as this type keeps them.</summary>
    static abstract V Round<W, V>(V value) where W : struct, IWidth<V> where V : struct;
}

/// <summary>An element of a tensor of <see cref="DType.F32"/>.</summary>
[StructLayout(LayoutKind.Sequential, Size = sizeof(float))]
internal readonly unsafe struct FloatElement : IElement<FloatElement>
{
    public static DType Type => DType.F32;

    public static V Load<W, V>(FloatElement* source) where W : struct, IWidth<V> where V : struct => W.Load((float*)source);

    public static void Store<W, V>(V value, FloatElement* destination) where W : struct, IWidth<V> where V : struct =>
        W.Store(value, (float*)destination);

    public static V Round<W, V>(V value) where W : struct, IWidth<V> where V : struct => value;
}

/// <summary>An element of a tensor of <see cref="DType.BF16"/>.</summary>
[StructLayout(LayoutKind.Sequential, Size = sizeof(ushort))]
internal readonly unsafe struct BFloat16Element : IElement<BFloat16Element>
{
    public static DType Type => DType.BF16;

    public static V Load<W, V>(BFloat16Element* source) where W : struct, IWidth<V> where V : struct => W.LoadWide((BFloat16*)source);

    public static void Store<W, V>(V value, BFloat16Element* destination) where W : struct, IWidth<V> where V : struct =>
        W.StoreNarrow(value, (BFloat16*)destination);

    public static V Round<W, V>(V value) where W : struct, IWidth<V> where V : struct => W.RoundNarrow(value);
}

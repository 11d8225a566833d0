namespace Finery.Tensors;

/// <summary>The element type of a <see cref="Tensor"/>. Values are persisted in checkpoints and never renumbered.</summary>
public enum DType
{
    /// <summary>IEEE 754 single precision.</summary>
    F32 = 0,

    /// <summary>bfloat16: the high 16 bits of an <see cref="F32"/>.</summary>
    BF16 = 1,

    /// <summary>32-bit signed integer: token ids, positions, document starts.</summary>
    I32 = 2,

    /// <summary>IEEE 754 double precision: <see cref="ReferenceKernels"/> alone computes with it, for exact gradient checks.</summary>
    F64 = 3,

    /// <summary>16-bit unsigned integer: the low halves of weights whose high halves are <see cref="BF16"/>.</summary>
    U16 = 4,
}

/// <summary>Sizes of element types.</summary>
public static class DTypes
{
    /// <summary>Bytes of one element.</summary>
    public static int ByteSize(this DType type) => type switch
    {
        DType.BF16 or DType.U16 => 2,
        DType.F64 => 8,
        _ => 4,
    };
}

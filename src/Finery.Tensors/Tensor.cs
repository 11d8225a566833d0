using System.Diagnostics;

namespace Finery.Tensors;

/// <summary>
/// A contiguous row-major array of up to four dimensions in native memory owned by an <see cref="Arena"/>. Most ops see it as a
/// matrix: the last dimension is <see cref="Columns"/>, all others together are <see cref="Rows"/>.
/// </summary>
/// <remarks>A tape's activations have no memory until the tape has planned it; nothing reads or writes them before.</remarks>
[DebuggerDisplay("{Description}")]
public sealed unsafe class Tensor
{
    private readonly int[] _shape;
    private byte* _data;

    internal Tensor(string name, DType type, int[] shape, byte* data)
    {
        (Name, Type, _shape) = (name, type, shape);
        _data = data;
        Length = Product(shape);
        Columns = shape.Length == 0 ? 1 : shape[^1];
        Rows = Columns == 0 ? 0 : checked((int)(Length / Columns));
    }

    /// <summary>What this tensor is, for errors and checkpoints.</summary>
    public string Name { get; }

    /// <summary>Element type.</summary>
    public DType Type { get; }

    /// <summary>Dimensions, outermost first.</summary>
    public ReadOnlySpan<int> Shape => _shape;

    /// <summary>Number of elements.</summary>
    public long Length { get; }

    /// <summary>Last dimension.</summary>
    public int Columns { get; }

    /// <summary>Product of all dimensions but the last.</summary>
    public int Rows { get; }

    /// <summary>Size in bytes.</summary>
    public long ByteLength => Length * Type.ByteSize();

    /// <summary>dLoss/dThis, same shape, or null where nothing needs it. Parameters accumulate into it; an activation's is overwritten
    /// by its only consumer; the tensors of one residual stream share one.</summary>
    public Tensor? Gradient { get; set; }

    /// <summary>The elements as floats.</summary>
    /// <exception cref="InvalidOperationException">The tensor is not F32.</exception>
    public Span<float> Floats => new(FloatPointer, checked((int)Length));

    /// <summary>The elements as integers.</summary>
    /// <exception cref="InvalidOperationException">The tensor is not I32.</exception>
    public Span<int> Integers => new(IntegerPointer, checked((int)Length));

    /// <summary>The elements as bfloat16.</summary>
    /// <exception cref="InvalidOperationException">The tensor is not BF16.</exception>
    public Span<BFloat16> BFloat16s => new(BFloat16Pointer, checked((int)Length));

    /// <summary>The elements as unsigned 16-bit integers.</summary>
    /// <exception cref="InvalidOperationException">The tensor is not U16.</exception>
    public Span<ushort> UInt16s => new(UInt16Pointer, checked((int)Length));

    /// <summary>All bytes of the tensor.</summary>
    public Span<byte> Bytes => new(Data, checked((int)ByteLength));

    /// <summary>Whether there is memory behind this tensor yet.</summary>
    public bool IsBound => _data != null;

    internal void* Pointer => Data;

    internal Span<byte> RowBytes(int row) => new(Data + (long)row * Columns * Type.ByteSize(), Columns * Type.ByteSize());

    internal byte* Data => _data != null ? _data : throw Unbound();

    internal float* FloatPointer => Type == DType.F32 ? (float*)Data : throw WrongType(DType.F32);

    internal BFloat16* BFloat16Pointer => Type == DType.BF16 ? (BFloat16*)Data : throw WrongType(DType.BF16);

    internal ushort* UInt16Pointer => Type == DType.U16 ? (ushort*)Data : throw WrongType(DType.U16);

    internal int* IntegerPointer => Type == DType.I32 ? (int*)Data : throw WrongType(DType.I32);

    /// <summary>Element <paramref name="index"/> of a floating-point tensor in double precision: widened exactly, rounded when stored.</summary>
    /// <remarks>For reference kernels and tests, which hold for every element type; other kernels take pointers.</remarks>
    internal double this[long index]
    {
        get => Type switch
        {
            DType.F32 => ((float*)Data)[InRange(index)],
            DType.BF16 => (float)((BFloat16*)Data)[InRange(index)],
            DType.F64 => ((double*)Data)[InRange(index)],
            _ => throw WrongType(DType.F64),
        };
        set
        {
            switch (Type)
            {
                case DType.F32: ((float*)Data)[InRange(index)] = (float)value; break;
                case DType.BF16: ((BFloat16*)Data)[InRange(index)] = (BFloat16)(float)value; break;
                case DType.F64: ((double*)Data)[InRange(index)] = value; break;
                default: throw WrongType(DType.F64);
            }
        }
    }

    /// <summary>The elements as kernels over <typeparamref name="E"/> take them.</summary>
    internal E* Elements<E>() where E : unmanaged, IElement<E> => Type == E.Type ? (E*)Data : throw WrongType(E.Type);

    private string Description => $"{Name} {Type} [{string.Join(", ", _shape)}]";

    /// <summary>A view of <paramref name="count"/> rows from <paramref name="start"/>, sharing memory (and gradient).</summary>
    /// <exception cref="ArgumentOutOfRangeException">The range leaves the tensor.</exception>
    public Tensor Slice(int start, int count, string? name = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((long)start + count, Rows);
        // A slice of an outline is an outline.
        return new(name ?? Name, Type, [count, Columns], _data == null ? null : _data + (long)start * Columns * Type.ByteSize())
        {
            Gradient = Gradient?.Slice(start, count, name),
        };
    }

    /// <inheritdoc/>
    public override string ToString() => Description;

    /// <summary>A tensor to be given memory later.</summary>
    internal static Tensor WithoutMemory(string name, DType type, ReadOnlySpan<int> shape) => new(name, type, shape.ToArray(), null);

    /// <summary>Gives this tensor its memory, once.</summary>
    internal void Bind(byte* data)
    {
        if (_data != null) throw new InvalidOperationException($"{Description} has memory already.");
        _data = data;
    }

    internal static long Product(ReadOnlySpan<int> shape)
    {
        long product = 1;
        foreach (int dimension in shape)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(dimension);
            product = checked(product * dimension);
        }
        return product;
    }

    private InvalidOperationException Unbound() => new(
        $"{Description} has no memory: its tape has not planned any yet (see Tape.Plan), it is not used in this pass, or it is an outline.");

    private long InRange(long index) =>
        (ulong)index < (ulong)Length ? index : throw new ArgumentOutOfRangeException(nameof(index), $"{Description} has no element {index}.");

    private InvalidOperationException WrongType(DType expected) => new($"{Description} is not {expected}.");
}

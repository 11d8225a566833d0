namespace Finery.Tensors;

/// <summary>A matrix of F32 or BF16 in memory by its two strides in elements, of which one is 1: a transpose costs nothing.</summary>
internal readonly unsafe struct StridedMatrix(void* data, DType type, long rowStride, long columnStride)
{
    public readonly DType Type = type;
    public readonly long RowStride = rowStride;
    public readonly long ColumnStride = columnStride;

    /// <summary>A row-major matrix of floats with <paramref name="columns"/> columns.</summary>
    public static StridedMatrix RowMajor(float* data, long columns) => new(data, DType.F32, columns, 1);

    public StridedMatrix Transposed => new(data, Type, ColumnStride, RowStride);

    /// <summary>The matrix from (row, column) on.</summary>
    public StridedMatrix From(long row, long column) => new(At(row, column), Type, RowStride, ColumnStride);

    public void* At(long row, long column) => (byte*)data + (row * RowStride + column * ColumnStride) * Type.ByteSize();
}

namespace Finery.Tensors;

public sealed partial class CpuKernels
{
    private protected override unsafe void CachedAttentionCore(
        Tensor qkv, Tensor keys, Tensor values, int length, AttentionShape shape, Tensor output)
    {
        int width = keys.Columns;
        for (int row = 0; row < qkv.Rows; row++)
        {
            var source = new ReadOnlySpan<float>(qkv.FloatPointer + (long)row * qkv.Columns, qkv.Columns);
            source.Slice(shape.KeyOffset, width).CopyTo(new(keys.FloatPointer + (long)(length + row) * width, width));
            source.Slice(shape.ValueOffset, width).CopyTo(new(values.FloatPointer + (long)(length + row) * width, width));
        }
        AttentionForward<FloatElement>(new()
        {
            Shape = shape, Queries = (FloatElement*)qkv.FloatPointer, QueryRow = qkv.Columns, QueryCount = qkv.Rows, Offset = length,
            Keys = (FloatElement*)keys.FloatPointer, Values = (FloatElement*)values.FloatPointer, KeyRow = width,
            Output = (FloatElement*)output.FloatPointer,
        }, maxLogit: null);
    }
}

namespace Finery.Tensors;

public sealed unsafe partial class CpuKernels
{
    private protected override void LinearForwardCore(Tensor x, Tensor weight, Tensor y, Tensor? residual) => _gemm.Multiply(
        x.Rows, weight.Rows, x.Columns, Matrix(x), Matrix(weight).Transposed, Matrix(y), add: false,
        residual is null ? null : residual.FloatPointer);

    private protected override void LinearBackwardCore(Tensor dy, Tensor x, Tensor weight, Tensor? dx, Tensor? dWeight)
    {
        if (dx is not null) _gemm.Multiply(x.Rows, x.Columns, weight.Rows, Matrix(dy), Matrix(weight), Matrix(dx), add: false);
        if (dWeight is not null)
            _gemm.Multiply(weight.Rows, x.Columns, x.Rows, Matrix(dy).Transposed, Matrix(x), Matrix(dWeight), add: true);
    }

    private static StridedMatrix Matrix(Tensor tensor) => new(tensor.Pointer, tensor.Type, tensor.Columns, 1);
}

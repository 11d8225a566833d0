namespace Finery.Tensors;

public abstract partial class Kernels
{
    /// <summary><c>y = x W^T</c>, or <c>y = x W^T + residual</c>.</summary>
    /// <param name="x">[N, in].</param>
    /// <param name="weight">[out, in].</param>
    /// <param name="y">[N, out], overwritten.</param>
    /// <param name="residual">[N, out] in F32, added as the product is written; null adds nothing. It may be <paramref name="y"/>, which is
    /// then F32 too.</param>
    public void LinearForward(Tensor x, Tensor weight, Tensor y, Tensor? residual = null)
    {
        Check(weight, y.Columns, x.Columns);
        Check(y, x.Rows, weight.Rows);
        if (residual is not null) Check(residual, y.Rows, y.Columns, DType.F32);
        using var scope = Measure(
            weight, 2.0 * x.Rows * weight.Length, x.ByteLength + weight.ByteLength + y.ByteLength + (residual?.ByteLength ?? 0));
        LinearForwardCore(x, weight, y, residual);
    }

    /// <summary><c>dx = dy W</c>, <c>dW += dy^T x</c>.</summary>
    /// <param name="dy">[N, out].</param>
    /// <param name="x">[N, in].</param>
    /// <param name="weight">[out, in].</param>
    /// <param name="dx">[N, in], overwritten; null where the input needs no gradient.</param>
    /// <param name="dWeight">[out, in], accumulated into; null for a frozen weight.</param>
    public void LinearBackward(Tensor dy, Tensor x, Tensor weight, Tensor? dx, Tensor? dWeight)
    {
        Check(weight, dy.Columns, x.Columns);
        Check(dy, x.Rows, weight.Rows);
        if (dx is not null) Check(dx, x.Rows, x.Columns);
        if (dWeight is not null) Check(dWeight, weight.Rows, weight.Columns);
        int products = (dx is null ? 0 : 1) + (dWeight is null ? 0 : 1);
        double bytes = dy.ByteLength + (dx is null ? 0 : weight.ByteLength + dx.ByteLength)
            + (dWeight is null ? 0 : x.ByteLength + 2 * dWeight.ByteLength);
        using var scope = Measure(weight, 2.0 * products * x.Rows * weight.Length, bytes);
        LinearBackwardCore(dy, x, weight, dx, dWeight);
    }

    private protected abstract void LinearForwardCore(Tensor x, Tensor weight, Tensor y, Tensor? residual);

    private protected abstract void LinearBackwardCore(Tensor dy, Tensor x, Tensor weight, Tensor? dx, Tensor? dWeight);
}

public sealed partial class Tape
{
    /// <summary>Multiplies by a weight: <c>x W^T</c>.</summary>
    /// <param name="x">[N, in].</param>
    /// <param name="weight">[out, in].</param>
    /// <param name="wide">Keeps the result in full precision: it starts a residual stream, or is compared with something.</param>
    /// <returns>[N, out].</returns>
    public Tensor Linear(Tensor x, Tensor weight, bool wide = false)
    {
        Consume(x);
        string name = $"{weight.Name} output";
        var y = wide ? WideActivation(name, x.Rows, weight.Rows) : Activation(name, x.Rows, weight.Rows);
        Record(new LinearOperation(x, weight, y));
        return y;
    }

    /// <summary>Multiplies the end of a branch by a weight and adds the result to the residual stream: <c>h + x W^T</c>.</summary>
    /// <param name="h">[N, out] residual stream.</param>
    /// <param name="x">[N, in] of the branch.</param>
    /// <param name="weight">[out, in].</param>
    /// <returns>The residual stream after the addition, which has the gradient of the stream before it.</returns>
    /// <exception cref="InvalidOperationException"><paramref name="h"/> is no longer the end of its stream, or <paramref name="x"/> has
    /// another consumer.</exception>
    public Tensor AddLinear(Tensor h, Tensor x, Tensor weight)
    {
        Consume(x);
        var residual = ExtendStream(h);
        Record(new AddLinearOperation(h, x, weight, residual));
        return residual;
    }

    private sealed class AddLinearOperation(Tensor h, Tensor x, Tensor weight, Tensor residual) : Operation
    {
        public override bool IsRepeatable => h != residual;

        public override Uses UsesOf(Pass pass) => pass == Pass.Backward
            ? new([residual.Gradient, x, weight], [x.Gradient, weight.Gradient])
            : new([h, x, weight], [residual]);

        public override void Forward(Kernels kernels) => kernels.LinearForward(x, weight, residual, h);

        public override void Backward(Kernels kernels) =>
            kernels.LinearBackward(residual.Gradient!, x, weight, x.Gradient, weight.Gradient);
    }

    private sealed class LinearOperation(Tensor x, Tensor weight, Tensor y) : Operation
    {
        public override Uses UsesOf(Pass pass) => pass == Pass.Backward
            ? new([y.Gradient, x, weight], [x.Gradient, weight.Gradient])
            : new([x, weight], [y]);

        public override void Forward(Kernels kernels) => kernels.LinearForward(x, weight, y);

        public override void Backward(Kernels kernels) =>
            kernels.LinearBackward(y.Gradient!, x, weight, x.Gradient, weight.Gradient);
    }
}

namespace Finery.Tensors;

public abstract partial class Kernels
{
    /// <summary><c>y = x W^T</c>.</summary>
    /// <param name="x">[N, in].</param>
    /// <param name="weight">[out, in].</param>
    /// <param name="y">[N, out], overwritten.</param>
    public void LinearForward(Tensor x, Tensor weight, Tensor y)
    {
        Check(weight, y.Columns, x.Columns);
        Check(y, x.Rows, weight.Rows);
        using var scope = Measure(weight, 2.0 * x.Rows * weight.Length, x.ByteLength + weight.ByteLength + y.ByteLength);
        LinearForwardCore(x, weight, y);
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

    private protected abstract void LinearForwardCore(Tensor x, Tensor weight, Tensor y);

    private protected abstract void LinearBackwardCore(Tensor dy, Tensor x, Tensor weight, Tensor? dx, Tensor? dWeight);
}

public sealed partial class Tape
{
    /// <summary>Multiplies by a weight: <c>x W^T</c>.</summary>
    /// <param name="x">[N, in].</param>
    /// <param name="weight">[out, in].</param>
    /// <returns>[N, out].</returns>
    public Tensor Linear(Tensor x, Tensor weight)
    {
        Consume(x);
        var y = Activation($"{weight.Name} output", x.Rows, weight.Rows);
        Record(new LinearOperation(x, weight, y));
        return y;
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

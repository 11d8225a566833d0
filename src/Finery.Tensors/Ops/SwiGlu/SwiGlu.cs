namespace Finery.Tensors;

public abstract partial class Kernels
{
    /// <summary><c>y = silu(g) u</c> where a row of the input is g then u. All tensors have one type.</summary>
    /// <param name="gateUp">[N, 2 F]: gate columns first, then up.</param>
    /// <param name="y">[N, F], overwritten.</param>
    public void SwiGluForward(Tensor gateUp, Tensor y)
    {
        Check(y, y.Rows, y.Columns);
        Check(gateUp, y.Rows, 2 * y.Columns, y.Type);
        using var scope = Measure(y, 5.0 * y.Length, gateUp.ByteLength + y.ByteLength);
        SwiGluForwardCore(gateUp, y);
    }

    /// <summary><c>dg = dy u s (1 + g (1 - s))</c>, <c>du = dy g s</c>, with <c>s = sigmoid(g)</c>.</summary>
    /// <param name="dy">[N, F].</param>
    /// <param name="gateUp">[N, 2 F] of the forward pass.</param>
    /// <param name="dGateUp">[N, 2 F], overwritten.</param>
    public void SwiGluBackward(Tensor dy, Tensor gateUp, Tensor dGateUp)
    {
        Check(dy, dy.Rows, dy.Columns);
        Check(gateUp, dy.Rows, 2 * dy.Columns, dy.Type);
        Check(dGateUp, dy.Rows, 2 * dy.Columns, dy.Type);
        using var scope = Measure(dGateUp, 10.0 * dy.Length, dy.ByteLength + gateUp.ByteLength + dGateUp.ByteLength);
        SwiGluBackwardCore(dy, gateUp, dGateUp);
    }

    private protected abstract void SwiGluForwardCore(Tensor gateUp, Tensor y);

    private protected abstract void SwiGluBackwardCore(Tensor dy, Tensor gateUp, Tensor dGateUp);
}

public sealed partial class Tape
{
    /// <summary>Gated SiLU: <c>silu(g) u</c>.</summary>
    /// <param name="gateUp">[N, 2 F].</param>
    /// <returns>[N, F].</returns>
    public Tensor SwiGlu(Tensor gateUp)
    {
        Consume(gateUp);
        var y = Activation($"swiglu of {gateUp.Name}", gateUp.Rows, gateUp.Columns / 2);
        Record(new SwiGluOperation(gateUp, y));
        return y;
    }

    private sealed class SwiGluOperation(Tensor gateUp, Tensor y) : Operation
    {
        public override bool IsCheap => true;

        public override Uses UsesOf(Pass pass) => pass == Pass.Backward
            ? new([y.Gradient, gateUp], [gateUp.Gradient])
            : new([gateUp], [y]);

        public override void Forward(Kernels kernels) => kernels.SwiGluForward(gateUp, y);

        public override void Backward(Kernels kernels) => kernels.SwiGluBackward(y.Gradient!, gateUp, gateUp.Gradient!);
    }
}

namespace Finery.Tensors;

public abstract partial class Kernels
{
    /// <summary>Rows side by side: <c>y[i] = [a[i], b[i]]</c>.</summary>
    /// <param name="a">[N, A].</param>
    /// <param name="b">[N, B], of the type of <paramref name="a"/>.</param>
    /// <param name="y">[N, A + B] of the same type, overwritten.</param>
    public void ConcatForward(Tensor a, Tensor b, Tensor y)
    {
        Check(y, a.Rows, a.Columns + b.Columns);
        Check(a, y.Rows, a.Columns, y.Type);
        Check(b, y.Rows, b.Columns, y.Type);
        using var scope = Measure(y, 0, 2.0 * y.ByteLength);
        ConcatForwardCore(a, b, y);
    }

    /// <summary>Takes <c>dy[i]</c> apart into <c>da[i]</c> and <c>db[i]</c>.</summary>
    /// <param name="dy">[N, A + B].</param>
    /// <param name="da">[N, A] of the same type, overwritten.</param>
    /// <param name="db">[N, B] of the same type, overwritten.</param>
    public void ConcatBackward(Tensor dy, Tensor da, Tensor db)
    {
        Check(dy, da.Rows, da.Columns + db.Columns);
        Check(da, dy.Rows, da.Columns, dy.Type);
        Check(db, dy.Rows, db.Columns, dy.Type);
        using var scope = Measure(dy, 0, 2.0 * dy.ByteLength);
        ConcatBackwardCore(dy, da, db);
    }

    private protected abstract void ConcatForwardCore(Tensor a, Tensor b, Tensor y);

    private protected abstract void ConcatBackwardCore(Tensor dy, Tensor da, Tensor db);
}

public sealed partial class Tape
{
    /// <summary>Puts the rows of two activations side by side.</summary>
    /// <param name="a">[N, A].</param>
    /// <param name="b">[N, B].</param>
    /// <returns>[N, A + B].</returns>
    public Tensor Concat(Tensor a, Tensor b)
    {
        Consume(a);
        Consume(b);
        var y = Activation($"{a.Name} beside {b.Name}", a.Rows, a.Columns + b.Columns);
        Record(new ConcatOperation(a, b, y));
        return y;
    }

    private sealed class ConcatOperation(Tensor a, Tensor b, Tensor y) : Operation
    {
        public override Uses UsesOf(Pass pass) =>
            pass == Pass.Backward ? new([y.Gradient], [a.Gradient, b.Gradient]) : new([a, b], [y]);

        public override void Forward(Kernels kernels) => kernels.ConcatForward(a, b, y);

        public override void Backward(Kernels kernels) => kernels.ConcatBackward(y.Gradient!, a.Gradient!, b.Gradient!);
    }
}

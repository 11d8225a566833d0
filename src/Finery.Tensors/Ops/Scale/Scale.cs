namespace Finery.Tensors;

public abstract partial class Kernels
{
    /// <summary><c>y = factor x</c>, or <c>y = addend + factor x</c>: the multipliers of maximal update parametrisation (pretraining
    /// reference 6).</summary>
    /// <param name="x">[N, D].</param>
    /// <param name="factor">Finite.</param>
    /// <param name="y">[N, D], overwritten.</param>
    /// <param name="addend">F32 [N, D], null adds nothing. It may be <paramref name="y"/>, which is then F32 too.</param>
    public void Scale(Tensor x, float factor, Tensor y, Tensor? addend = null)
    {
        Check(x, x.Rows, x.Columns);
        Check(y, x.Rows, x.Columns);
        if (addend is not null) Check(addend, x.Rows, x.Columns, DType.F32);
        if (!float.IsFinite(factor))
            throw new ArgumentOutOfRangeException(nameof(factor), $"Scale: factor {factor}; expected a finite number.");
        using var scope = Measure(x, (addend is null ? 1.0 : 2.0) * x.Length, x.ByteLength + y.ByteLength + (addend?.ByteLength ?? 0));
        ScaleCore(x, factor, y, addend);
    }

    private protected abstract void ScaleCore(Tensor x, float factor, Tensor y, Tensor? addend);
}

public sealed partial class Tape
{
    /// <summary>Multiplies an activation, or embeddings that are to start the residual stream, by a number.</summary>
    /// <param name="x">[N, D].</param>
    /// <param name="factor">Finite.</param>
    /// <returns>[N, D], of the type of <paramref name="x"/>.</returns>
    public Tensor Scale(Tensor x, float factor)
    {
        Consume(x);
        var y = WithGradient($"{x.Name} scaled", x.Type, x.Shape);
        Record(new ScaleOperation(null, x, factor, y));
        return y;
    }

    /// <summary>Adds a branch times a number to the residual stream: <c>h + factor x</c>.</summary>
    /// <param name="h">[N, D] residual stream.</param>
    /// <param name="x">[N, D] branch output.</param>
    /// <param name="factor">Finite.</param>
    /// <returns>The residual stream after the addition, which has the gradient of the stream before it.</returns>
    /// <exception cref="InvalidOperationException"><paramref name="h"/> is no longer the end of its stream, or <paramref name="x"/> has
    /// another consumer.</exception>
    public Tensor AddScaled(Tensor h, Tensor x, float factor)
    {
        Consume(x);
        var residual = ExtendStream(h);
        Record(new ScaleOperation(h, x, factor, residual));
        return residual;
    }

    private sealed class ScaleOperation(Tensor? h, Tensor x, float factor, Tensor y) : Operation
    {
        public override bool IsRepeatable => h != y;

        public override Uses UsesOf(Pass pass) => pass == Pass.Backward
            ? new([y.Gradient], [x.Gradient])
            : new([h, x], [y]);

        public override void Forward(Kernels kernels) => kernels.Scale(x, factor, y, h);

        public override void Backward(Kernels kernels) => kernels.Scale(y.Gradient!, factor, x.Gradient!);
    }
}

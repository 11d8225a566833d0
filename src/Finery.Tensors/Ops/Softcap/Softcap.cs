namespace Finery.Tensors;

public abstract partial class Kernels
{
    /// <summary>Bounds logits in place (pretraining reference 1.4): what <see cref="LinearCrossEntropyForward"/> does before anything else,
    /// for logits that are to be sampled from.</summary>
    /// <param name="logits">F32 [N, V], changed in place.</param>
    /// <param name="softcap">c: the bound; positive.</param>
    /// <param name="curve">How they are bounded.</param>
    public void Softcap(Tensor logits, float softcap, SoftcapCurve curve)
    {
        Check(logits, logits.Rows, logits.Columns, DType.F32);
        if (!(softcap > 0 && float.IsFinite(softcap)))
            throw new ArgumentOutOfRangeException(nameof(softcap), $"Softcap: {softcap}; expected a positive finite number.");
        using var scope = Measure(logits, 10.0 * logits.Length, 2.0 * logits.ByteLength);
        SoftcapCore(logits, new(Softcap: softcap, Curve: curve));
    }

    private protected abstract void SoftcapCore(Tensor logits, CrossEntropyOptions options);
}

public sealed partial class Tape
{
    /// <summary>Bounds logits in place (inference only: training bounds them inside <see cref="LinearCrossEntropy"/>).</summary>
    /// <param name="logits">[N, V].</param>
    /// <param name="softcap">c: the bound.</param>
    /// <param name="curve">How they are bounded.</param>
    public void Softcap(Tensor logits, float softcap, SoftcapCurve curve)
    {
        if (_gradients) throw new InvalidOperationException("Softcap has no backward pass: record the tape without gradients.");
        Record(new SoftcapOperation(logits, softcap, curve));
    }

    private sealed class SoftcapOperation(Tensor logits, float softcap, SoftcapCurve curve) : Operation
    {
        public override Uses UsesOf(Pass pass) => new([logits], [logits]);

        public override void Forward(Kernels kernels) => kernels.Softcap(logits, softcap, curve);

        public override void Backward(Kernels kernels) => throw new InvalidOperationException("Softcap has no backward pass.");
    }
}

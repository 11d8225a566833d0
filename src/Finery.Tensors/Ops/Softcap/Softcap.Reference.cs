namespace Finery.Tensors;

public sealed partial class ReferenceKernels
{
    private protected override void SoftcapCore(Tensor logits, CrossEntropyOptions options)
    {
        for (long i = 0; i < logits.Length; i++) logits[i] = options.Cap(logits[i]);
    }
}

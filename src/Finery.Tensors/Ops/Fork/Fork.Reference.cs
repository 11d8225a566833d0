namespace Finery.Tensors;

public sealed partial class ReferenceKernels
{
    private protected override void ForkForwardCore(Tensor h, Tensor? keep, Tensor y)
    {
        for (long i = 0; i < h.Length; i++) y[i] = Keeps(keep, i / h.Columns) ? h[i] : 0;
    }

    private protected override void ForkBackwardCore(Tensor dy, Tensor? keep, Tensor dh)
    {
        for (long i = 0; i < dy.Length; i++) dh[i] += Keeps(keep, i / dy.Columns) ? dy[i] : 0;
    }

    private static bool Keeps(Tensor? keep, long row) => keep is null || keep.Integers[(int)row] != 0;
}

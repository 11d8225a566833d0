namespace Finery.Tensors;

public sealed partial class ReferenceKernels
{
    private protected override void SwiGluForwardCore(Tensor gateUp, Tensor y)
    {
        long F = y.Columns;
        for (long i = 0; i < y.Length; i++)
        {
            long gate = i / F * 2 * F + i % F;
            double g = gateUp[gate], u = gateUp[gate + F];
            y[i] = g / (1 + Math.Exp(-g)) * u;
        }
    }

    private protected override void SwiGluBackwardCore(Tensor dy, Tensor gateUp, Tensor dGateUp)
    {
        long F = dy.Columns;
        for (long i = 0; i < dy.Length; i++)
        {
            long gate = i / F * 2 * F + i % F, up = gate + F;
            double g = gateUp[gate], u = gateUp[up], s = 1 / (1 + Math.Exp(-g)), gradient = dy[i];
            dGateUp[gate] = gradient * u * s * (1 + g * (1 - s));
            dGateUp[up] = gradient * g * s;
        }
    }
}

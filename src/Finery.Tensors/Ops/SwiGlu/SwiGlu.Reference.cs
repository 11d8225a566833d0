namespace Finery.Tensors;

public sealed partial class ReferenceKernels
{
    private protected override void SwiGluForwardCore(Tensor gateUp, Tensor y)
    {
        int F = y.Columns;
        for (int i = 0; i < y.Length; i++)
        {
            var row = gateUp.Floats.Slice(i / F * 2 * F, 2 * F);
            double g = row[i % F], u = row[F + i % F];
            y.Floats[i] = (float)(g / (1 + Math.Exp(-g)) * u);
        }
    }

    private protected override void SwiGluBackwardCore(Tensor dy, Tensor gateUp, Tensor dGateUp)
    {
        int F = dy.Columns;
        for (int i = 0; i < dy.Length; i++)
        {
            int gate = i / F * 2 * F + i % F, up = gate + F;
            double g = gateUp.Floats[gate], u = gateUp.Floats[up], s = 1 / (1 + Math.Exp(-g));
            dGateUp.Floats[gate] = (float)(dy.Floats[i] * u * s * (1 + g * (1 - s)));
            dGateUp.Floats[up] = (float)(dy.Floats[i] * g * s);
        }
    }
}

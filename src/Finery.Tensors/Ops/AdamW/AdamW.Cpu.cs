namespace Finery.Tensors;

public sealed partial class CpuKernels
{
    private protected override void AdamWCore(
        Tensor weight, Tensor gradient, Tensor firstMoment, Tensor secondMoment, in AdamWSettings settings)
    {
        double beta1 = settings.Beta1, beta2 = settings.Beta2;
        double correction1 = 1 - Math.Pow(beta1, settings.Step), correction2 = 1 - Math.Pow(beta2, settings.Step);
        Span<float> p = weight.Floats, g = gradient.Floats, m = firstMoment.Floats, v = secondMoment.Floats;
        for (int i = 0; i < p.Length; i++)
        {
            double scaled = (double)g[i] * settings.GradientScale;
            double first = beta1 * m[i] + (1 - beta1) * scaled;
            double second = beta2 * v[i] + (1 - beta2) * scaled * scaled;
            double decayed = p[i] * (1 - (double)settings.LearningRate * settings.WeightDecay);
            double step = first / correction1 / (Math.Sqrt(second / correction2) + settings.Epsilon);
            (m[i], v[i], p[i], g[i]) = ((float)first, (float)second, (float)(decayed - settings.LearningRate * step), 0);
        }
    }
}

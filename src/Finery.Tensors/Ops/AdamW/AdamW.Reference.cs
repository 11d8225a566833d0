namespace Finery.Tensors;

public sealed partial class ReferenceKernels
{
    private protected override void AdamWCore(
        Tensor weight, Tensor gradient, Tensor firstMoment, Tensor secondMoment, in AdamWSettings settings)
    {
        double beta1 = settings.Beta1, beta2 = settings.Beta2;
        double correction1 = 1 - Math.Pow(beta1, settings.Step), correction2 = 1 - Math.Pow(beta2, settings.Step);
        for (long i = 0; i < weight.Length; i++)
        {
            double scaled = gradient[i] * settings.GradientScale;
            double first = beta1 * firstMoment[i] + (1 - beta1) * scaled;
            double second = beta2 * secondMoment[i] + (1 - beta2) * scaled * scaled;
            double decayed = weight[i] * (1 - (double)settings.LearningRate * settings.WeightDecay);
            double step = first / correction1 / (Math.Sqrt(second / correction2) + settings.Epsilon);
            (firstMoment[i], secondMoment[i], weight[i], gradient[i]) = (first, second, decayed - settings.LearningRate * step, 0);
        }
    }
}

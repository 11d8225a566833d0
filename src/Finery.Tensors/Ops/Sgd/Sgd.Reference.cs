namespace Finery.Tensors;

public sealed partial class ReferenceKernels
{
    private protected override void SgdCore(Tensor weight, Tensor? master, Tensor gradient, Tensor? momentum, in SgdSettings settings)
    {
        double mu = settings.Momentum, keep = 1 - (double)settings.LearningRate * settings.WeightDecay;
        for (long i = 0; i < weight.Length; i++)
        {
            double scaled = gradient[i] * settings.GradientScale, update = scaled;
            if (momentum is not null)
            {
                double running = mu * momentum[i] + scaled;
                momentum[i] = running;
                update = settings.Nesterov ? scaled + mu * running : running;
            }
            gradient[i] = 0;
            SetParameter(weight, master, i, Parameter(weight, master, i) * keep - settings.LearningRate * update, settings.Rounding);
        }
    }
}

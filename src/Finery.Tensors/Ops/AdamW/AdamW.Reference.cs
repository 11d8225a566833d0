namespace Finery.Tensors;

public sealed partial class ReferenceKernels
{
    private protected override void AdamWCore(
        Tensor weight, Tensor? master, Tensor gradient, Tensor firstMoment, Tensor secondMoment, in AdamWSettings settings)
    {
        double beta1 = settings.Beta1, beta2 = settings.Beta2;
        double correction1 = 1 - Math.Pow(beta1, settings.Step), correction2 = 1 - Math.Pow(beta2, settings.Step);
        for (long i = 0; i < weight.Length; i++)
        {
            double scaled = gradient[i] * settings.GradientScale;
            double first = beta1 * firstMoment[i] + (1 - beta1) * scaled;
            double second = beta2 * secondMoment[i] + (1 - beta2) * scaled * scaled;
            double decayed = Parameter(weight, master, i) * (1 - (double)settings.LearningRate * settings.WeightDecay);
            double step = first / correction1 / (Math.Sqrt(second / correction2) + settings.Epsilon);
            (firstMoment[i], secondMoment[i], gradient[i]) = (first, second, 0);
            SetParameter(weight, master, i, decayed - settings.LearningRate * step, settings.Rounding);
        }
    }

    private static double Parameter(Tensor weight, Tensor? master, long i) => master?.Type switch
    {
        null => weight[i],
        DType.U16 => BitConverter.UInt32BitsToSingle(((uint)weight.BFloat16s[(int)i].Bits << 16) | master.UInt16s[(int)i]),
        _ => master[i],
    };

    private static void SetParameter(Tensor weight, Tensor? master, long i, double value, StochasticRounding rounding)
    {
        uint bits = BitConverter.SingleToUInt32Bits((float)value);
        if (master?.Type == DType.U16)
            (weight.BFloat16s[(int)i], master.UInt16s[(int)i]) = (new((ushort)(bits >> 16)), (ushort)bits);
        else if (master is not null)
            weight[i] = master[i] = value;
        else if (weight.Type == DType.BF16)
            weight.BFloat16s[(int)i] = rounding.OfBlock(i / StochasticRounding.Block).Round((float)value, (uint)(i % StochasticRounding.Block));
        else
            weight[i] = value;
    }
}

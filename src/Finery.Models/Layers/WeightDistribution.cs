using Finery.Tensors;

namespace Finery.Models.Layers;

/// <summary>Kinds of <see cref="WeightDistribution"/>.</summary>
internal enum WeightKind
{
    /// <summary>All equal to the scale.</summary>
    Constant,

    /// <summary>Normal with the scale as deviation.</summary>
    Normal,

    /// <summary>Uniform between minus and plus the scale.</summary>
    Uniform,
}

/// <summary>What initial weights of a tensor are drawn from. Every number is keyed by (seed, tensor name, element): the same whatever part
/// of a tensor is drawn, where and when.</summary>
/// <param name="Kind">Its form.</param>
/// <param name="Scale">Value, deviation or bound.</param>
/// <param name="Cut">Largest size of a normal number; those beyond are drawn again.</param>
internal readonly record struct WeightDistribution(WeightKind Kind, double Scale, double Cut = double.PositiveInfinity)
{
    private const int ElementsPerTask = 1 << 16;

    /// <summary>Fills a tensor, or consecutive rows of one.</summary>
    /// <param name="weight">Overwritten; BF16 holds the same numbers, rounded.</param>
    /// <param name="seed">Of the model.</param>
    /// <param name="name">Name of the whole tensor in a checkpoint.</param>
    /// <param name="first">Element of the whole tensor at which <paramref name="weight"/> begins.</param>
    public void Fill(Tensor weight, ulong seed, string name, long first = 0)
    {
        var (distribution, key) = (this, CounterRandom.Key(seed, name));
        int length = checked((int)weight.Length);
        Parallel.For(0, (length + ElementsPerTask - 1) / ElementsPerTask, task =>
        {
            int start = task * ElementsPerTask, end = Math.Min(length, start + ElementsPerTask);
            for (int i = start; i < end; i++)
            {
                float value = (float)distribution.Value(key, (ulong)(first + i));
                if (weight.Type == DType.BF16) weight.BFloat16s[i] = (BFloat16)value;
                else weight.Floats[i] = value;
            }
        });
    }

    private double Value(ulong key, ulong element)
    {
        if (Kind == WeightKind.Constant) return Scale;
        if (Kind == WeightKind.Uniform) return Scale * (2 * CounterRandom.Uniform(key, element) - 1);
        double value = Scale * CounterRandom.Normal(key, element);
        // A second try draws from a stream of its own, so that no element's number depends on another's.
        for (ulong attempt = 1; Math.Abs(value) > Cut; attempt++)
            value = Scale * CounterRandom.Normal(CounterRandom.Bits(key, ulong.MaxValue - attempt), element);
        return value;
    }
}

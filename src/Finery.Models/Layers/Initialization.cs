using Finery.Tensors;

namespace Finery.Models.Layers;

/// <summary>
/// Initial weights (pretraining reference 1.5): N(0, 0.02), scaled by <c>1/sqrt(2 L)</c> for the two projections that write to
/// the residual stream, ones for norms. Every number is keyed by (seed, tensor name, element): the same whatever the sharding.
/// </summary>
public static class Initialization
{
    /// <summary>Standard deviation of embedding and input projections.</summary>
    public const double Deviation = 0.02;

    private const int ElementsPerTask = 1 << 16;

    /// <summary>Standard deviation of <c>o_proj</c> and <c>down_proj</c>.</summary>
    public static double ResidualDeviation(int layerCount) => Deviation / Math.Sqrt(2.0 * layerCount);

    /// <summary>Fills with N(0, <paramref name="deviation"/>).</summary>
    /// <param name="weight">Overwritten; BF16 holds the same numbers, rounded.</param>
    /// <param name="seed">Of the model.</param>
    /// <param name="name">Name of the tensor in a checkpoint.</param>
    /// <param name="deviation">Standard deviation.</param>
    public static void Normal(Tensor weight, ulong seed, string name, double deviation)
    {
        ulong key = CounterRandom.Key(seed, name);
        int length = checked((int)weight.Length);
        Parallel.For(0, (length + ElementsPerTask - 1) / ElementsPerTask, task =>
        {
            int start = task * ElementsPerTask, end = Math.Min(length, start + ElementsPerTask);
            for (int i = start; i < end; i++)
            {
                float value = (float)(deviation * CounterRandom.Normal(key, (ulong)i));
                if (weight.Type == DType.BF16) weight.BFloat16s[i] = (BFloat16)value;
                else weight.Floats[i] = value;
            }
        });
    }

    /// <summary>Fills with ones.</summary>
    public static void Ones(Tensor weight) => weight.Floats.Fill(1);
}

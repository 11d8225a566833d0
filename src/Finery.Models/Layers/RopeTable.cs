using Finery.Tensors;

namespace Finery.Models.Layers;

/// <summary>Cosines and sines of the rotary angles <c>position f_i</c>, computed in double precision and rounded once.</summary>
public sealed class RopeTable
{
    /// <summary>Fills the tables for positions <c>0..positions-1</c>.</summary>
    /// <param name="arena">Holds the tables.</param>
    /// <param name="config">Head size, theta and scaling.</param>
    /// <param name="positions">P, rows of the tables.</param>
    public RopeTable(Arena arena, ModelConfig config, int positions)
    {
        Cos = arena.Floats("rope.cos", positions, config.HeadSize / 2);
        Sin = arena.Floats("rope.sin", positions, config.HeadSize / 2);
        if (!arena.IsOutline) Fill(config);
    }

    /// <summary>Computes all rows anew for another theta or scaling.</summary>
    internal void Fill(ModelConfig config)
    {
        double[] frequencies = Frequencies(config);
        double amplitude = (config.RopeScaling as YarnScaling)?.Amplitude ?? 1;
        Parallel.For(0, Cos.Rows, position =>
        {
            int row = position * frequencies.Length;
            var cos = Cos.Floats.Slice(row, frequencies.Length);
            var sin = Sin.Floats.Slice(row, frequencies.Length);
            for (int i = 0; i < frequencies.Length; i++)
            {
                var (s, c) = Math.SinCos(position * frequencies[i]);
                (cos[i], sin[i]) = ((float)(c * amplitude), (float)(s * amplitude));
            }
        });
    }

    /// <summary>[P, HS/2].</summary>
    public Tensor Cos { get; }

    /// <summary>[P, HS/2].</summary>
    public Tensor Sin { get; }

    /// <summary><c>f_i = theta^(-2i/HS)</c>, i in 0..HS/2-1, with llama3 or YaRN scaling where the configuration has it (pretraining
    /// reference 1.3).</summary>
    public static double[] Frequencies(ModelConfig config)
    {
        var frequencies = new double[config.HeadSize / 2];
        for (int i = 0; i < frequencies.Length; i++)
        {
            double frequency = Math.Pow(config.RopeTheta, -2.0 * i / config.HeadSize);
            frequencies[i] = config.RopeScaling switch
            {
                Llama3Scaling scaling => Scale(frequency, scaling),
                YarnScaling scaling => Scale(frequency, i, scaling, config),
                _ => frequency,
            };
        }
        return frequencies;
    }

    private static double Scale(double frequency, Llama3Scaling scaling)
    {
        double turns = scaling.OriginalSequenceLength * frequency / (2 * Math.PI);
        if (turns > scaling.HighFrequencyFactor) return frequency;
        if (turns < scaling.LowFrequencyFactor) return frequency / scaling.Factor;
        double kept = (turns - scaling.LowFrequencyFactor) / (scaling.HighFrequencyFactor - scaling.LowFrequencyFactor);
        return ((1 - kept) * frequency / scaling.Factor) + (kept * frequency);
    }

    private static double Scale(double frequency, int index, YarnScaling scaling, ModelConfig config)
    {
        // Index, not rounded, of the frequency that makes so many turns within the original context.
        double Index(double turns) => config.HeadSize * Math.Log(scaling.OriginalSequenceLength / (2 * Math.PI * turns))
            / (2 * Math.Log(config.RopeTheta));
        double low = Math.Max(Math.Floor(Index(scaling.FastTurns)), 0);
        double high = Math.Min(Math.Ceiling(Index(scaling.SlowTurns)), config.HeadSize - 1);
        // A ramp of no width is a step (as Hugging Face does it).
        double divided = Math.Clamp((index - low) / Math.Max(high - low, 1e-3), 0, 1);
        return (1 - divided) * frequency + divided * frequency / scaling.Factor;
    }
}

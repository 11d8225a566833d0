using System.Diagnostics;
using Finery.Models;
using Finery.Models.Llama;
using Finery.Tensors;
using Finery.Training.Optimizers;

namespace Finery.Training.Scaling;

/// <summary>Measures this machine: what it reaches in whole training steps, and at best in one large matrix product.</summary>
public static class ThroughputProbe
{
    /// <summary>Times real training steps (forward, backward, norm, update) on random tokens; the median step counts, as in a long run.</summary>
    /// <param name="kernels">Measured.</param>
    /// <param name="config">The shape; rows have its sequence length.</param>
    /// <param name="rows">Rows of a batch.</param>
    /// <param name="documentTokens">Length of the documents in a row: attention ends at their borders.</param>
    /// <param name="seconds">Time to spend, beyond the first step, which is not counted.</param>
    /// <param name="optimizer">Whose updates are part of a step; null for AdamW.</param>
    public static MeasuredSpeed Measure(
        Kernels kernels, ModelConfig config, int rows = 4, int documentTokens = int.MaxValue, double seconds = 2,
        OptimizerSettings? optimizer = null)
    {
        using var model = new LlamaModel(config, seed: 1, trainable: true);
        using var updates = (optimizer ?? new AdamWOptimizerSettings()).Create(model.Parameters);
        using var arena = new Arena("probe");
        int tokens = rows * config.SequenceLength;
        var inputs = new ModelInputs(arena, tokens);
        var targets = arena.Integers("targets", tokens);
        var weights = arena.Floats("tokenWeights", tokens);
        for (int i = 0; i < tokens; i++)
        {
            inputs.Ids.Integers[i] = (int)(i * 2654435761L % config.VocabSize);
            targets.Integers[i] = (int)((i + 1) * 2654435761L % config.VocabSize);
            inputs.Positions.Integers[i] = i % config.SequenceLength % documentTokens;
            inputs.Starts.Integers[i] = i - inputs.Positions.Integers[i];
        }
        weights.Floats.Fill(1f / tokens);
        var tape = new Tape(kernels, arena, gradients: true);
        model.Losses(tape, inputs, targets, weights, weightsKnown: true);
        tape.Plan();

        double[] steps = Durations(seconds, () =>
        {
            tape.Forward();
            tape.Backward();
            double norm = GradientClipping.Norm(kernels, model.Parameters);
            updates.Step(kernels, 1e-4, (float)GradientClipping.Factor(norm, 1));
        });
        return new(config, tokens * config.TrainingFlopsPerToken(config.SequenceLength) / steps[steps.Length / 2]);
    }

    /// <summary>FLOP/s of the fastest of several square matrix products: the practical peak that utilisation is relative to.</summary>
    /// <param name="kernels">Measured.</param>
    /// <param name="seconds">Time to spend.</param>
    /// <param name="size">Of the matrices.</param>
    public static double PeakFlops(Kernels kernels, double seconds = 1, int size = 1024)
    {
        using var arena = new Arena("peak");
        var x = arena.Floats("x", size, size);
        var weight = arena.Floats("weight", size, size);
        var y = arena.Floats("y", size, size);
        x.Floats.Fill(0.5f);
        weight.Floats.Fill(0.25f);
        return 2.0 * size * size * size / Durations(seconds, () => kernels.LinearForward(x, weight, y))[0];
    }

    /// <summary>Seconds of each call after the first, shortest first.</summary>
    private static double[] Durations(double seconds, Action action)
    {
        action();
        var durations = new List<double>();
        long begin = Stopwatch.GetTimestamp();
        do
        {
            long start = Stopwatch.GetTimestamp();
            action();
            durations.Add(Math.Max(1e-9, Stopwatch.GetElapsedTime(start).TotalSeconds));
        }
        while (Stopwatch.GetElapsedTime(begin).TotalSeconds < seconds);
        return [.. durations.Order()];
    }
}

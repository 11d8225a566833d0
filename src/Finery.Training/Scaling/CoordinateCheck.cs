using Finery.Data.Batches;
using Finery.Models;
using Finery.Models.Layers;
using Finery.Models.Llama;
using Finery.Tensors;
using Finery.Training.Optimizers;

namespace Finery.Training.Scaling;

/// <summary>How the size of one activation changes with width.</summary>
/// <param name="Name">"embedding", "layer 0", "layer 1", ..., or "logits".</param>
/// <param name="Means">[step][model]: mean |activation| before the update of each step.</param>
/// <param name="Slopes">[step]: <c>d ln(mean) / d ln(width)</c>, by least squares over the models.</param>
public sealed record CoordinateCurve(string Name, IReadOnlyList<IReadOnlyList<double>> Means, IReadOnlyList<double> Slopes)
{
    /// <summary>The slope of largest size.</summary>
    public double Steepest => Slopes.MaxBy(Math.Abs);
}

/// <summary>
/// The coordinate check of a parametrisation (Yang et al. 2021; pretraining reference 6): in a right one, activations keep their size over
/// the first updates whatever the width. Logits begin near zero and shrink with width until they are learned, so they are told apart.
/// </summary>
/// <param name="Layers">The residual stream after the embedding and after each layer.</param>
/// <param name="Logits">What the output head gives.</param>
public sealed record CoordinateCheck(IReadOnlyList<CoordinateCurve> Layers, CoordinateCurve Logits)
{
    /// <summary>The slope of largest size of any layer at any step; below .05 the parametrisation passes.</summary>
    public double Steepest => Layers.Select(layer => layer.Steepest).MaxBy(Math.Abs);

    /// <summary>Trains models of the same depth and several widths for some steps on the same batches.</summary>
    /// <param name="kernels">Does the work.</param>
    /// <param name="configs">At least two widths.</param>
    /// <param name="source">The batches.</param>
    /// <param name="steps">How many updates are looked at, the state before the first included; about 10.</param>
    /// <param name="optimizer">Made for each model; disposed here.</param>
    /// <param name="learningRate">Of all steps.</param>
    /// <param name="seeds">Of the initial weights: activations are averaged over them, since those of narrow models vary.</param>
    /// <param name="initialization">How they are drawn.</param>
    /// <exception cref="ArgumentException">There are fewer than two widths, or depths differ.</exception>
    public static CoordinateCheck Run(
        Kernels kernels, IReadOnlyList<ModelConfig> configs, IBatchSource source, int steps, Func<LlamaModel, Optimizer> optimizer,
        double learningRate, IReadOnlyList<ulong> seeds, Initialization? initialization = null)
    {
        if (configs.Select(config => config.EmbeddingSize).Distinct().Count() < 2)
            throw new ArgumentException("A coordinate check needs models of at least two widths.", nameof(configs));
        int layers = configs[0].LayerCount;
        if (configs.Any(config => config.LayerCount != layers))
            throw new ArgumentException("A coordinate check compares models of the same depth.", nameof(configs));
        if (seeds.Count == 0) throw new ArgumentException("A coordinate check needs a seed.", nameof(seeds));

        // [model][step][activation], the logits last.
        double[][][] means = [.. configs.Select(config => Average([.. seeds.Select(
            seed => Means(kernels, config, source, steps, optimizer, learningRate, seed, initialization))]))];
        double[] widths = [.. configs.Select(config => Math.Log(config.EmbeddingSize))];
        CoordinateCurve Curve(string name, int activation)
        {
            double[][] byStep = [.. Enumerable.Range(0, steps).Select(step => means.Select(model => model[step][activation]).ToArray())];
            return new(name, byStep, [.. byStep.Select(row => Slope(widths, [.. row.Select(mean => Math.Log(mean))]))]);
        }
        return new(
            [.. Enumerable.Range(0, layers + 1).Select(i => Curve(i == 0 ? "embedding" : $"layer {i - 1}", i))], Curve("logits", layers + 1));
    }

    private static double[][] Means(
        Kernels kernels, ModelConfig config, IBatchSource source, int steps, Func<LlamaModel, Optimizer> optimizer, double learningRate,
        ulong seed, Initialization? initialization)
    {
        using var model = new LlamaModel(config, seed, trainable: true, initialization: initialization);
        using var updates = optimizer(model);
        using var arena = new Arena("coordinate check");
        var batch = source.CreateBatch();
        var inputs = new ModelInputs(arena, batch.Count);
        var (targets, weights) = (arena.Integers("targets", batch.Count), arena.Floats("tokenWeights", batch.Count));
        var activations = new List<Tensor>();
        var tape = new Tape(kernels, arena, gradients: true);
        var hidden = tape.Keep(model.Hidden(tape, inputs, streams: activations));
        model.Losses(tape, hidden, targets, weights, weightsKnown: true);
        tape.Plan();
        var head = new Tape(kernels, arena, gradients: false);
        activations.Add(model.Logits(head, hidden));

        var means = new double[steps][];
        for (int step = 0; step < steps; step++)
        {
            source.Fill(step, batch);
            inputs.Load(batch.Ids, batch.Positions, batch.Starts, first: 0);
            batch.Targets.CopyTo(targets.Integers);
            batch.Weights.CopyTo(weights.Floats);
            tape.Forward();
            head.Forward();
            means[step] = [.. activations.Select(MeanSize)];
            tape.Backward();
            updates.Step(kernels, learningRate, 1);
        }
        return means;
    }

    private static double[][] Average(double[][][] runs) =>
        [.. runs[0].Select((row, step) => row.Select((_, i) => runs.Average(run => run[step][i])).ToArray())];

    private static double MeanSize(Tensor tensor)
    {
        double sum = 0;
        foreach (float value in tensor.Floats) sum += Math.Abs(value);
        return sum / tensor.Length;
    }

    private static double Slope(double[] x, double[] y)
    {
        double meanX = x.Average(), meanY = y.Average();
        return x.Zip(y, (a, b) => (a - meanX) * (b - meanY)).Sum() / x.Sum(a => (a - meanX) * (a - meanX));
    }
}

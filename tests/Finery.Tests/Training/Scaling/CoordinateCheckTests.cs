using System.Text.RegularExpressions;
using Finery.Models;
using Finery.Models.Llama;
using Finery.Tensors;
using Finery.Training.Optimizers;
using Finery.Training.Scaling;
using Xunit;

namespace Finery.Tests.Training.Scaling;

// Pretraining reference 6 and 11, case 26.
public class CoordinateCheckTests
{
    private static CoordinateCheck Check(bool update, int steps, double rate, int seeds, params int[] widths)
    {
        using var kernels = new CpuKernels();
        return CoordinateCheck.Run(
            kernels, [.. widths.Select(width => MaximalUpdateTask.Config(width, update))], MaximalUpdateTask.Source(), steps,
            MaximalUpdateTask.AdamW, rate, [.. Enumerable.Range(1, seeds).Select(seed => (ulong)seed)], MaximalUpdateTask.Initialization);
    }

    [Fact]
    public void Activations_keep_their_size_at_small_widths()
    {
        var update = Check(true, 5, 1e-3, seeds: 4, 64, 128, 256);
        Assert.Equal(["embedding", "layer 0", "layer 1"], update.Layers.Select(layer => layer.Name));
        Assert.Equal((5, 3), (update.Logits.Means.Count, update.Logits.Means[0].Count));
        Assert.True(Math.Abs(update.Steepest) < 0.05, $"slope {update.Steepest}");
    }

    [Fact]
    public void They_do_not_in_the_standard_parametrisation()
    {
        var standard = Check(false, 3, 1e-3, seeds: 1, 64, 128, 256);
        Assert.True(standard.Steepest > 0.5, $"slope {standard.Steepest}");
    }

    [Fact, Trait("Category", SlowTests.Category)]
    public void Activations_keep_their_size_from_128_to_1024()
    {
        SlowTests.Require();
        var update = Check(true, 10, 2.5e-4, seeds: 4, 128, 256, 512, 1024);
        foreach (var layer in update.Layers) TestContext.Current.TestOutputHelper!.WriteLine($"{layer.Name}: {string.Join(" ", layer.Slopes)}");
        Assert.True(Math.Abs(update.Steepest) < 0.05, $"slope {update.Steepest}");
    }

    [Fact, Trait("Category", SlowTests.Category)]
    public void The_best_learning_rate_is_the_same_at_four_times_the_width()
    {
        const int Steps = 60, Narrow = 256, Wide = 1024;
        SlowTests.Require();
        using var kernels = new CpuKernels();
        double Best(int width, bool update)
        {
            // The optimum lies near the middle of two powers of two: halfway between them are points that tell it from its neighbours.
            double[] exponents = [.. Enumerable.Range(-12, 7).Select(exponent => exponent + 0.5)];
            double[] losses = [.. exponents.Select(exponent => MaximalUpdateTask.FinalLoss(
                kernels, MaximalUpdateTask.Config(width, update), Steps, Math.Pow(2, exponent), seed: 1))];
            TestContext.Current.TestOutputHelper!.WriteLine(
                $"{width} {(update ? "muP" : "SP")}: {string.Join(" ", losses.Select(loss => loss.ToString("F3")))}");
            return exponents[Array.IndexOf(losses, losses.Min())];
        }
        Assert.Equal(Best(Narrow, true), Best(Wide, true));
        Assert.True(Best(Wide, false) < Best(Narrow, false), "the standard parametrisation does not move");
    }

    [Fact]
    public void Models_that_cannot_be_compared_are_refused()
    {
        using var kernels = new CpuKernels(1);
        void Run(params ModelConfig[] configs) => CoordinateCheck.Run(
            kernels, configs, MaximalUpdateTask.Source(), 1, MaximalUpdateTask.AdamW, 1e-3, seeds: [1]);
        var config = MaximalUpdateTask.Config(64, true);
        Assert.Contains("widths", Assert.Throws<ArgumentException>(() => Run(config, config)).Message, StringComparison.Ordinal);
        Assert.Contains("depth", Assert.Throws<ArgumentException>(
            () => Run(config, MaximalUpdateTask.Config(128, true) with { LayerCount = 3 })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Hidden_matrices_alone_have_rates_decays_and_epsilons_of_their_own()
    {
        var config = MaximalUpdateTask.Config(256, true);
        Assert.Empty(MaximalUpdateTask.Config(256, false).ParameterGroups(0.1));
        var group = Assert.Single(config.ParameterGroups(0.1));
        Assert.Equal((0.25, null, 1.0), (group.RateScale, group.WeightDecay, group.EpsilonScale));
        // CompleteP: m_d = 4, m_L = 2.
        var complete = Assert.Single(
            (config with { MaximalUpdate = new() { BaseEmbeddingSize = 64, BaseLayerCount = 1 } }).ParameterGroups(0.1));
        Assert.Equal((0.25, 0.4, 0.125), (complete.RateScale, complete.WeightDecay, complete.EpsilonScale));

        using var model = LlamaModel.Outline(config with { QkNorm = true, TieEmbeddings = false }, trainable: true);
        var mine = new ParameterGroup { Pattern = "embed", RateScale = 3 };
        var settings = new AdamWOptimizerSettings { Groups = [mine] }.ForMaximalUpdate(model.Config);
        Assert.Equal([mine, group], settings.Groups);
        foreach (var parameter in model.Parameters)
        {
            bool hidden = parameter.Matrices.Count > 0;
            Assert.Equal(hidden, Regex.IsMatch(parameter.Name, group.Pattern));
        }
    }
}

using Finery.Models;
using Finery.Models.Layers;
using Finery.Models.Llama;
using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Models.Layers;

public class InitializationTests
{
    [Fact]
    public void Every_weight_is_keyed_by_seed_name_and_element()
    {
        using var model = new LlamaModel(TinyModels.Config, seed: 5, trainable: false);
        var key = model.NamedWeights.Single(weight => weight.Name == "model.layers.1.self_attn.k_proj.weight");
        using var arena = new Arena("test");
        var alone = arena.Floats("alone", key.Tensor.Rows, key.Tensor.Columns);
        new WeightDistribution(WeightKind.Normal, 0.02).Fill(alone, 5, key.Name);
        Assert.Equal(alone.Floats, key.Tensor.Floats);

        using var again = new LlamaModel(TinyModels.Config, seed: 5, trainable: true);
        using var other = new LlamaModel(TinyModels.Config, seed: 6, trainable: true);
        foreach (var (name, tensor) in model.NamedWeights)
        {
            Assert.Equal(tensor.Floats, again.NamedWeights.Single(weight => weight.Name == name).Tensor.Floats);
            if (tensor.Shape.Length == 2)
                Assert.False(tensor.Floats.SequenceEqual(other.NamedWeights.Single(weight => weight.Name == name).Tensor.Floats));
        }
    }

    [Fact]
    public void Large_tensors_do_not_depend_on_how_they_are_split()
    {
        using var arena = new Arena("test");
        var large = arena.Floats("large", 300, 1000);
        new WeightDistribution(WeightKind.Normal, 1).Fill(large, 1, "w");
        ulong key = CounterRandom.Key(1, "w");
        foreach (int i in new[] { 0, 1, 65535, 65536, 131071, 299_999 })
            Assert.Equal((float)CounterRandom.Normal(key, (ulong)i), large.Floats[i]);
    }

    [Fact]
    public void Weights_are_normal_with_the_documented_deviation()
    {
        var config = TinyModels.Config with { EmbeddingSize = 256, FeedForwardSize = 512, LayerCount = 2 };
        using var model = new LlamaModel(config, seed: 1, trainable: false);
        foreach (var (name, tensor) in model.NamedWeights)
        {
            if (tensor.Shape.Length == 1)
            {
                Assert.All(tensor.Floats.ToArray(), value => Assert.Equal(1, value));
                continue;
            }
            double deviation = name.Contains("o_proj", StringComparison.Ordinal)
                || name.Contains("down_proj", StringComparison.Ordinal) ? 0.01 : 0.02;
            double[] z = [.. tensor.Floats.ToArray().Select(value => value / deviation)];
            double bound = 5 / Math.Sqrt(z.Length);
            Assert.InRange(z.Average(), -bound, bound);
            Assert.InRange(z.Average(value => value * value), 1 - (bound * 1.5), 1 + (bound * 1.5));
            Assert.InRange(z.Average(value => value * value * value * value), 3 - (bound * 10), 3 + (bound * 10));
        }
    }

    [Theory]
    [InlineData(InitializationScheme.Smollm3)]
    [InlineData(InitializationScheme.Truncated)]
    [InlineData(InitializationScheme.Torchtitan)]
    [InlineData(InitializationScheme.Nanochat)]
    public void Any_rows_of_a_tensor_are_the_rows_of_the_whole(InitializationScheme scheme)
    {
        var config = TinyModels.Config with { TieEmbeddings = false };
        var initialization = new Initialization { Scheme = scheme };
        using var model = new LlamaModel(config, seed: 5, trainable: false, initialization: initialization);
        using var arena = new Arena("test");
        foreach (var (name, tensor) in model.NamedWeights.Where(weight => weight.Tensor.Shape.Length == 2))
        {
            int from = tensor.Rows / 3, count = tensor.Rows / 2;
            var part = arena.Floats("part", count, tensor.Columns);
            initialization.Of(name, config).Fill(part, 5, name, (long)from * tensor.Columns);
            Assert.Equal(tensor.Slice(from, count).Floats, part.Floats);
        }
    }

    // Pretraining reference 1.5, for d = 100 and L = 3.
    [Theory]
    [InlineData(InitializationScheme.Smollm3, "model.layers.1.self_attn.o_proj.weight", WeightKind.Normal, 0.02 / 2.449489743, 0)]
    [InlineData(InitializationScheme.Smollm3, "model.embed_tokens.weight", WeightKind.Normal, 0.02, 0)]
    [InlineData(InitializationScheme.Smollm3, "model.norm.weight", WeightKind.Constant, 1, 0)]
    [InlineData(InitializationScheme.Truncated, "model.layers.2.mlp.down_proj.weight", WeightKind.Normal, 0.02, 0.06)]
    [InlineData(InitializationScheme.Truncated, "lm_head.weight", WeightKind.Normal, 0.02, 0.06)]
    [InlineData(InitializationScheme.Torchtitan, "model.layers.2.mlp.up_proj.weight", WeightKind.Normal, 0.02 / 2.449489743, 0)]
    [InlineData(InitializationScheme.Torchtitan, "model.layers.0.self_attn.o_proj.weight", WeightKind.Normal, 0.02 / 1.414213562, 0)]
    [InlineData(InitializationScheme.Torchtitan, "model.layers.2.mlp.gate_proj.weight", WeightKind.Normal, 0.02, 0)]
    [InlineData(InitializationScheme.Torchtitan, "model.embed_tokens.weight", WeightKind.Normal, 1, 0)]
    [InlineData(InitializationScheme.Torchtitan, "lm_head.weight", WeightKind.Normal, 0.1, 0.3)]
    [InlineData(InitializationScheme.Nanochat, "model.layers.0.self_attn.o_proj.weight", WeightKind.Constant, 0, 0)]
    [InlineData(InitializationScheme.Nanochat, "model.layers.0.self_attn.q_proj.weight", WeightKind.Uniform, 0.1732050808, 0)]
    [InlineData(InitializationScheme.Nanochat, "lm_head.weight", WeightKind.Normal, 0.001, 0)]
    [InlineData(InitializationScheme.Nanochat, "model.layers.0.self_attn.q_norm.weight", WeightKind.Constant, 1, 0)]
    internal void Schemes_have_the_published_scales(
        InitializationScheme scheme, string name, WeightKind kind, double scale, double cut)
    {
        var config = TinyModels.Config with { EmbeddingSize = 100, LayerCount = 3, TieEmbeddings = false };
        var distribution = new Initialization { Scheme = scheme }.Of(name, config);
        Assert.Equal(kind, distribution.Kind);
        Assert.Equal(scale, distribution.Scale, 1e-9);
        Assert.Equal(cut == 0 ? double.PositiveInfinity : cut, distribution.Cut, 1e-9);
    }

    [Fact]
    public void Smollm3_of_36_layers_has_the_published_deviation_of_outputs() => Assert.Equal(
        0.0023570, new Initialization().Of("model.layers.7.mlp.down_proj.weight", ModelPresets.Find("smollm3-3b").Released).Scale, 5e-8);

    [Fact]
    public void Cut_normals_stay_within_the_cut_and_uniform_ones_fill_their_range()
    {
        using var arena = new Arena("test");
        var weight = arena.Floats("w", 500, 400);
        new WeightDistribution(WeightKind.Normal, 0.02, 0.06).Fill(weight, 3, "w");
        Assert.InRange(weight.Floats.ToArray().Max(Math.Abs), 0.0595, 0.06);
        // The deviation of a normal cut at three deviations is .98658 of the whole one.
        Assert.Equal(0.98658 * 0.02, Math.Sqrt(weight.Floats.ToArray().Average(value => value * (double)value)), 1e-4);
        new WeightDistribution(WeightKind.Uniform, 0.5).Fill(weight, 3, "w");
        Assert.InRange(weight.Floats.ToArray().Max(), 0.4999f, 0.5f);
        Assert.InRange(weight.Floats.ToArray().Min(), -0.5f, -0.4999f);
        Assert.Equal(1.0 / 12, weight.Floats.ToArray().Average(value => value * (double)value), 1e-3);
    }

    [Fact]
    public void Impossible_settings_are_named()
    {
        var update = TinyModels.Config with { MaximalUpdate = new() { BaseEmbeddingSize = 10 } };
        Assert.Contains("nanochat", Assert.Throws<ArgumentException>(() =>
            new LlamaModel(update, 1, false, initialization: new() { Scheme = InitializationScheme.Nanochat })).Message, StringComparison.Ordinal);
        Assert.Contains("deviation", Assert.Throws<ArgumentException>(() =>
            new LlamaModel(TinyModels.Config, 1, false, initialization: new() { Deviation = 0 })).Message, StringComparison.Ordinal);
        Assert.Single(new Initialization { Scheme = (InitializationScheme)9 }.Validate());
    }
}

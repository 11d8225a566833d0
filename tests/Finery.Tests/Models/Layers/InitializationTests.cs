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
        Initialization.Normal(alone, 5, key.Name, 0.02);
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
        Initialization.Normal(large, 1, "w", 1);
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
}

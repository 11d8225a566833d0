using Finery.Models;
using Finery.Models.Llama;
using Finery.Models.Weights;
using Finery.Tensors;
using Finery.Training.Averaging;
using Xunit;

namespace Finery.Tests.Training.Averaging;

public sealed class CheckpointAverageTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string Saved(ulong seed, SafeTensorType? type = null, ModelConfig? config = null)
    {
        using var model = new LlamaModel(config ?? TinyModel.Config, seed, trainable: false);
        string folder = Path.Combine(_folder.Path, $"{seed}-{type}");
        model.Save(folder, type);
        return folder;
    }

    private string Output(string name = "out") => Path.Combine(_folder.Path, name);

    private static float[] Values(string folder)
    {
        using var model = LlamaModel.Load(folder, trainable: false);
        return [.. model.NamedWeights.SelectMany(weight => weight.Tensor.Floats.ToArray())];
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(7)]
    public void The_average_of_equal_models_is_the_model_to_the_bit(int count)
    {
        string folder = Saved(1);
        CheckpointAverage.Merge(CheckpointAverage.Uniform([.. Enumerable.Repeat(folder, count)]), Output());
        Assert.Equal(Values(folder), Values(Output()));
        Assert.Equal(ModelConfig.Load(folder).ToJson(), ModelConfig.Load(Output()).ToJson());
    }

    [Fact]
    public void A_soup_is_the_weighted_sum_of_every_element_cast_once()
    {
        string a = Saved(1), b = Saved(2, SafeTensorType.BF16), c = Saved(3, SafeTensorType.F16);
        WeightedModel[] models = [new(a, 0.9), new(b, 0.06), new(c, 0.04)];
        float[] x = Values(a), y = Values(b), z = Values(c);
        float[] expected = [.. Enumerable.Range(0, x.Length).Select(i => (float)(0.9 * x[i] + 0.06 * y[i] + 0.04 * z[i]))];
        CheckpointAverage.Merge(models, Output());
        Assert.Equal(expected, Values(Output()));
        CheckpointAverage.Merge(models, Output("narrow"), SafeTensorType.BF16);
        Assert.Equal(expected.Select(value => (float)(BFloat16)value), Values(Output("narrow")));
        using var stored = SafeTensorsFolder.Open(Output("narrow"));
        Assert.Equal("BF16", stored.Source("model.norm.weight").Type);
    }

    [Fact]
    public void Tensors_keep_the_types_of_the_first_model()
    {
        string narrow = Saved(1, SafeTensorType.BF16), wide = Saved(2);
        CheckpointAverage.Merge(CheckpointAverage.Uniform([narrow, wide]), Output());
        using var stored = SafeTensorsFolder.Open(Output());
        Assert.All(stored.Names, name => Assert.Equal("BF16", stored.Source(name).Type));
    }

    [Fact]
    public void What_cannot_be_averaged_is_refused_with_every_fault_before_anything_is_written()
    {
        string a = Saved(1), other = Saved(2, config: TinyModel.Config with { VocabSize = 31, FeedForwardSize = 48 });
        var exception = Assert.Throws<ArgumentException>(() => CheckpointAverage.Merge(CheckpointAverage.Uniform([a, other]), Output()));
        Assert.Contains("vocab_size is 31, not 29", exception.Message);
        Assert.Contains("intermediate_size is 48, not 32", exception.Message);
        exception = Assert.Throws<ArgumentException>(() =>
            CheckpointAverage.Merge([new(a, -0.5), new(Output("absent"), 2)], a));
        foreach (string fault in new[] { "must not be negative", "is no model folder", "would be overwritten", "sum to 1.5" })
            Assert.Contains(fault, exception.Message);
        Assert.Contains("no model", Assert.Throws<ArgumentException>(() => CheckpointAverage.Merge([], Output())).Message);
        Assert.False(Directory.Exists(Output()));
    }
}

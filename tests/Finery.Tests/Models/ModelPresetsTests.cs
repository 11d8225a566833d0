using Finery.Models;
using Xunit;

namespace Finery.Tests.Models;

// Pretraining reference 1.1 and 11, case 1.
public class ModelPresetsTests
{
    [Theory]
    [InlineData("llama3.1-8b", 8_030_261_248, 131072, 5e5)]
    [InlineData("llama3.1-70b", 70_553_706_496, 131072, 5e5)]
    [InlineData("llama3.1-405b", 405_853_388_800, 131072, 5e5)]
    [InlineData("llama3.2-1b", 1_235_814_400, 131072, 5e5)]
    [InlineData("llama3.2-3b", 3_212_749_824, 131072, 5e5)]
    [InlineData("smollm3-3b", 3_075_098_624, 65536, 5e6)]
    [InlineData("smollm2-135m", 134_515_008, 8192, 1e5)]
    [InlineData("smollm2-360m", 361_821_120, 8192, 1e5)]
    public void Shapes_have_the_published_counts_and_contexts(string name, long parameters, int context, double theta)
    {
        var preset = ModelPresets.Find(name);
        Assert.Empty(preset.Released.Validate());
        Assert.Equal((parameters, context, theta),
            (preset.Released.ParameterCount, preset.Released.SequenceLength, preset.Released.RopeTheta));
        Assert.Equal(parameters, preset.Pretraining.ParameterCount);
        Assert.Equal((null, preset.PretrainingLength), (preset.Pretraining.RopeScaling, preset.Pretraining.SequenceLength));
    }

    [Fact]
    public void Published_details_are_kept()
    {
        Assert.Equal(new Llama3Scaling(8, 1, 4, 8192), ModelPresets.Find("Llama3.1-8B").Released.RopeScaling);
        Assert.Equal(new Llama3Scaling(32, 1, 4, 8192), ModelPresets.Find("llama3.2-3b").Released.RopeScaling);
        var smol = ModelPresets.Find("smollm3-3b");
        Assert.Equal((4, 1e-6f, true), (smol.Released.NoRopeInterval, smol.Released.RmsNormEpsilon, smol.Released.TieEmbeddings));
        Assert.Equal((4096, 5e4, 2e-4), (smol.Pretraining.SequenceLength, smol.Pretraining.RopeTheta, smol.PeakLearningRate));
        Assert.Equal(8e-5, ModelPresets.Find("llama3.1-405b").PeakLearningRate);
        Assert.Contains("llama3.1-8b", Assert.Throws<ArgumentException>(() => ModelPresets.Find("gpt2")).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("llama3.1-405b")]
    [InlineData("llama3.1-8b")]
    [InlineData("smollm3-3b")]
    [InlineData("smollm2-135m")]
    public void Scaled_models_keep_the_proportions(string name)
    {
        var large = ModelPresets.Find(name).Pretraining;
        Assert.Equal(large, large.Scaled(1));
        long before = 0;
        foreach (double dial in new[] { 1.0 / 64, 1.0 / 32, 1.0 / 16, 1.0 / 8, 1.0 / 4, 1.0 / 2 })
        {
            var small = large.Scaled(dial, vocabSize: 4096, sequenceLength: 256);
            Assert.Empty(small.Validate());
            Assert.Equal((large.HeadCount / large.KvHeadCount, large.NoRopeInterval, large.TieEmbeddings, large.RopeTheta, 4096, 256),
                (small.HeadCount / small.KvHeadCount, small.NoRopeInterval, small.TieEmbeddings, small.RopeTheta, small.VocabSize,
                    small.SequenceLength));
            Assert.Equal(small.EmbeddingSize, small.HeadCount * small.HeadSize);
            Assert.Equal((double)large.FeedForwardSize / large.EmbeddingSize, (double)small.FeedForwardSize / small.EmbeddingSize, 0.13);
            Assert.True(small.NoRopeInterval == 0 || small.LayerCount % small.NoRopeInterval == 0);
            Assert.True(small.HeadSize == large.HeadSize || small.EmbeddingSize < 2 * small.HeadCount / small.KvHeadCount * large.HeadSize);
            Assert.True(small.ParameterCount >= before, $"{dial}: {small.ParameterCount} after {before}");
            before = small.ParameterCount;
        }
        Assert.Throws<ArgumentOutOfRangeException>(() => large.Scaled(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => large.Scaled(1.5));
    }

    [Theory]
    [InlineData("llama3.1-405b", 3_000_000)]
    [InlineData("llama3.1-405b", 100_000_000)]
    [InlineData("smollm3-3b", 10_000_000)]
    public void A_budget_of_parameters_is_used_and_kept(string name, long parameters)
    {
        var small = ModelPresets.Find(name).Pretraining.ScaledTo(parameters, vocabSize: 4096, sequenceLength: 512);
        Assert.InRange(small.ParameterCount, parameters / 2, parameters);
        Assert.Empty(small.Validate());
        Assert.Empty(small.EosIds);
        Assert.Contains("too few", Assert.Throws<ArgumentException>(
            () => ModelPresets.Find(name).Pretraining.ScaledTo(1000, vocabSize: 4096)).Message, StringComparison.Ordinal);
    }
}

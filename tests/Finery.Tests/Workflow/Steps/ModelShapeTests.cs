using Finery.Models;
using Finery.Workflow.Steps;
using Xunit;

namespace Finery.Tests.Workflow.Steps;

public class ModelShapeTests
{
    [Fact]
    public void Sizes_alone_make_a_model()
    {
        var config = new ModelShape { Layers = 2, Width = 96, Heads = 6, KvHeads = 3, FeedForward = 200 }.ToConfig(700, 64, 1, 2);
        Assert.Equal((700, 96, 2, 6, 3, 16, 200, 64), (config.VocabSize, config.EmbeddingSize, config.LayerCount, config.HeadCount,
            config.KvHeadCount, config.HeadSize, config.FeedForwardSize, config.SequenceLength));
        Assert.Equal("d128 L4 h4 kv2 ff352", new ModelShape().ToString());
    }

    [Fact]
    public void A_preset_is_scaled_and_then_changed()
    {
        var large = ModelPresets.Find("smollm3-3b").Pretraining;
        var config = new ModelShape { Preset = "smollm3-3b", Dial = 0.125, Layers = 12, QkNorm = true, RopeTheta = 1e4 }.ToConfig(4096, 512, 1, 2);
        var scaled = large.Scaled(0.125, 4096, 512);
        Assert.Equal(scaled with { LayerCount = 12, QkNorm = true, RopeTheta = 1e4, BosId = 1, EosId = 2, PadId = null }, config);
        Assert.Equal((4, 1e-6f), (config.NoRopeInterval, config.RmsNormEpsilon));
        var small = new ModelShape { Preset = "llama3.1-405b", Parameters = 5_000_000 }.ToConfig(4096, 512, 1, 2);
        Assert.InRange(small.ParameterCount, 2_500_000, 5_000_000);
        Assert.False(small.TieEmbeddings);
    }

    [Fact]
    public void Shapes_are_read_back_whole()
    {
        var config = new ModelShape
        {
            Preset = "llama3.1-8b", Dial = 0.02, LogitSoftcap = 15, MaximalUpdate = new() { BaseEmbeddingSize = 32 },
        }.ToConfig(512, 64, 1, 2);
        Assert.Equal(config, ModelShape.Of(config).ToConfig(512, 64, 1, 2));
    }

    [Fact]
    public void Contradictions_are_named()
    {
        Assert.Equal("Preset", Assert.Single(new ModelShape { Preset = "gpt5" }.Validate()).Property);
        Assert.Equal("Dial", Assert.Single(new ModelShape { Dial = 0.5 }.Validate()).Property);
        Assert.Equal("Parameters", Assert.Single(new ModelShape { Preset = "smollm3-3b", Dial = 0.5, Parameters = 7 }.Validate()).Property);
        Assert.Equal("Heads", Assert.Single(new ModelShape { Heads = 0 }.Validate()).Property);
        Assert.Empty(new ModelShape { Preset = "SmolLM3-3B" }.Validate());
    }
}

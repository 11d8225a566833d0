using Finery.Models;
using Finery.Models.Llama;
using Finery.Models.Weights;
using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Models.Llama;

public sealed class LlamaModelChangeTests : IDisposable
{
    private readonly CpuKernels _kernels = new(2);
    private readonly TemporaryFolder _folder = new();

    public void Dispose()
    {
        _kernels.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData(100, 5e5, false)]
    [InlineData(400, 2e6, false)]
    [InlineData(160, 1e4, true)]
    [InlineData(320, 1e4, true)]
    public void A_changed_context_is_that_of_a_fresh_model(int length, double theta, bool scaled)
    {
        RopeScaling? scaling = scaled ? new YarnScaling(2, 80) : null;
        using var changed = TinyModels.Create();
        float[] weights = [.. changed.Parameters.SelectMany(parameter => parameter.Weight.Floats.ToArray())];
        changed.ChangeContext(length, theta, scaling);
        Assert.Equal(weights, changed.Parameters.SelectMany(parameter => parameter.Weight.Floats.ToArray()));
        using var fresh = TinyModels.Create(TinyModels.Config with { SequenceLength = length, RopeTheta = theta, RopeScaling = scaling });
        Assert.Equal(fresh.Config, changed.Config);
        int[] ids = TinyModels.Ids(length);
        Assert.Equal(LlamaModelTests.Losses(fresh, _kernels, ids), LlamaModelTests.Losses(changed, _kernels, ids));

        changed.Save(_folder.Path);
        using var loaded = LlamaModel.Load(_folder.Path, trainable: false);
        Assert.Equal(fresh.Config, loaded.Config);
    }

    [Fact]
    public void An_impossible_context_changes_nothing()
    {
        using var model = TinyModels.Create();
        Assert.Contains("rope_theta", Assert.Throws<ArgumentException>(() => model.ChangeContext(100, -1)).Message, StringComparison.Ordinal);
        Assert.Contains("max_position", Assert.Throws<ArgumentException>(() => model.ChangeContext(0, 1e4)).Message, StringComparison.Ordinal);
        Assert.Equal(TinyModels.Config, model.Config);
    }

    private static readonly ModelConfig[] Parametrised =
    [
        // Multipliers 4, 1/2, 1/2 and 16^-.5 are powers of two: every bit stays. Otherwise weights are rounded once.
        TinyModels.Config with
        {
            HeadSize = 16, MaximalUpdate = new() { BaseEmbeddingSize = 10, BaseLayerCount = 1, EmbeddingMultiplier = 4 },
        },
        TinyModels.Config with
        {
            HeadSize = 16, TieEmbeddings = false, QkNorm = true,
            MaximalUpdate = new() { BaseEmbeddingSize = 5, BaseLayerCount = 8, EmbeddingMultiplier = .25, LogitsMultiplier = 8 },
        },
        TinyModels.Config with
        {
            MaximalUpdate = new() { BaseEmbeddingSize = 7, BaseLayerCount = 3, EmbeddingMultiplier = 3, LogitsMultiplier = 1.7 },
        },
        TinyModels.Config with { TieEmbeddings = false, QkNorm = true, MaximalUpdate = new() { BaseEmbeddingSize = 7 } },
        TinyModels.Config,
    ];

    [Theory]
    [InlineData(0, true)]
    [InlineData(1, true)]
    [InlineData(2, false)]
    [InlineData(3, false)]
    [InlineData(4, true)]
    public void A_folded_model_computes_the_same_without_multipliers(int index, bool exactly)
    {
        using var model = TinyModels.Create(Parametrised[index]);
        using var folded = model.Folded();
        Assert.Null(folded.Config.MaximalUpdate);
        Assert.DoesNotContain("finery", folded.Config.ToJson(), StringComparison.Ordinal);
        int[] ids = TinyModels.Ids(60);
        float[] expected = TinyModels.Logits(model, _kernels, ids), actual = TinyModels.Logits(folded, _kernels, ids);
        if (exactly)
        {
            Assert.Equal(expected, actual);
            return;
        }
        double scale = expected.Max(Math.Abs);
        for (int i = 0; i < expected.Length; i++) Assert.Equal(expected[i], actual[i], 1e-5 * scale);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void A_model_with_multipliers_is_saved_whole_under_a_name_of_its_own(int index)
    {
        using var model = TinyModels.Create(Parametrised[index]);
        model.Save(_folder.Path);
        Assert.Contains("\"FineryForCausalLM\"", File.ReadAllText(_folder["config.json"]), StringComparison.Ordinal);
        using var loaded = LlamaModel.Load(_folder.Path, trainable: false);
        Assert.Equal(model.Config, loaded.Config);
        int[] ids = TinyModels.Ids(40);
        Assert.Equal(TinyModels.Logits(model, _kernels, ids), TinyModels.Logits(loaded, _kernels, ids));
    }

    [Fact]
    public void A_model_with_qk_norm_keeps_the_names_of_Qwen3()
    {
        using var model = TinyModels.Create(TinyModels.Config with { QkNorm = true });
        var gain = model.NamedWeights.Single(weight => weight.Name == "model.layers.1.self_attn.k_norm.weight").Tensor;
        gain.Floats[2] = 1.5f;
        model.Save(_folder.Path);
        using (var file = SafeTensorsFile.Open(_folder["model.safetensors"]))
        {
            Assert.Equal(2 + 22, file.Entries.Count);
            Assert.Equal([6L], file.Entries["model.layers.0.self_attn.q_norm.weight"].Shape);
        }
        using var loaded = LlamaModel.Load(_folder.Path, trainable: false);
        Assert.True(loaded.Config.QkNorm);
        int[] ids = TinyModels.Ids(40);
        Assert.Equal(LlamaModelTests.Losses(model, _kernels, ids), LlamaModelTests.Losses(loaded, _kernels, ids));
    }

    [Fact]
    public void Multipliers_at_their_base_change_nothing_but_the_scale_of_attention()
    {
        // A head of 16 elements has the scale 1/16 instead of 1/4: queries four times as large make up for it.
        var config = TinyModels.Config with { HeadSize = 16 };
        using var standard = TinyModels.Create(config);
        using var update = TinyModels.Create(config with { MaximalUpdate = new() { BaseEmbeddingSize = 20, BaseLayerCount = 2 } });
        update.CopyWeightsFrom(standard);
        foreach (var (name, tensor) in update.NamedWeights.Where(weight => weight.Name.EndsWith("q_proj.weight", StringComparison.Ordinal)))
            foreach (ref float value in tensor.Floats) value *= 4;
        int[] ids = TinyModels.Ids(60);
        Assert.Equal(TinyModels.Logits(standard, _kernels, ids), TinyModels.Logits(update, _kernels, ids));
    }

    [Fact]
    public void Hidden_matrices_begin_smaller_by_the_root_of_the_width_ratio()
    {
        var config = TinyModels.Config with { TieEmbeddings = false };
        using var standard = new LlamaModel(config, 3, trainable: false);
        using var muP = new LlamaModel(config with { MaximalUpdate = new() { BaseEmbeddingSize = 5 } }, 3, trainable: false);
        using var complete = new LlamaModel(
            config with { MaximalUpdate = new() { BaseEmbeddingSize = 5, BaseLayerCount = 1 } }, 3, trainable: false);
        for (int i = 0; i < standard.NamedWeights.Count; i++)
        {
            var (name, tensor) = standard.NamedWeights[i];
            bool hidden = name.Contains("proj", StringComparison.Ordinal);
            bool output = name.Contains("o_proj", StringComparison.Ordinal) || name.Contains("down_proj", StringComparison.Ordinal);
            for (int e = 0; e < tensor.Length; e++)
            {
                float value = tensor.Floats[e] / (hidden ? 2 : 1);
                Assert.Equal(value, muP.NamedWeights[i].Tensor.Floats[e], 1e-8);
                Assert.Equal(output ? value * 2 : value, complete.NamedWeights[i].Tensor.Floats[e], 1e-8);
            }
        }
    }
}

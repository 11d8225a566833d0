using System.Text.Json;
using Finery.Models;
using Finery.Models.Llama;
using Finery.Models.Weights;
using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Models.Llama;

// Pretraining reference 11, case 2.
public sealed class CheckpointTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Saving_and_loading_keeps_every_bit_and_the_exact_names(bool tied)
    {
        using var model = TinyModels.Create(TinyModels.Config with { TieEmbeddings = tied });
        model.Save(_folder.Path, new Dictionary<string, string> { ["step"] = "12" });
        using (var file = SafeTensorsFile.Open(_folder["model.safetensors"]))
        {
            Assert.Equal(("pt", "12"), (file.Metadata["format"], file.Metadata["step"]));
            Assert.Equal(tied ? 2 + 18 : 3 + 18, file.Entries.Count);
            Assert.Equal(!tied, file.Entries.ContainsKey("lm_head.weight"));
            Assert.Equal([12L, 20L], file.Entries["model.layers.1.self_attn.k_proj.weight"].Shape);
            Assert.Equal([20L], file.Entries["model.norm.weight"].Shape);
        }
        using var loaded = LlamaModel.Load(_folder.Path, trainable: true);
        Assert.Equal(model.Config, loaded.Config);
        foreach (var (a, b) in model.Parameters.Zip(loaded.Parameters)) Assert.Equal(a.Weight.Floats, b.Weight.Floats);
        using var kernels = new CpuKernels(1);
        int[] ids = TinyModels.Ids(20);
        Assert.Equal(LlamaModelTests.Losses(model, kernels, ids), LlamaModelTests.Losses(loaded, kernels, ids));

        byte[] first = File.ReadAllBytes(_folder["model.safetensors"]);
        loaded.Save(_folder.Path, new Dictionary<string, string> { ["step"] = "12" });
        Assert.Equal(first, File.ReadAllBytes(_folder["model.safetensors"]));
        Assert.Equal(2, Directory.GetFiles(_folder.Path).Length);
    }

    [Fact]
    public void Bfloat16_checkpoints_round_once()
    {
        using var model = TinyModels.Create();
        model.Save(_folder.Path, SafeTensorType.BF16);
        Assert.Contains("\"torch_dtype\": \"bfloat16\"", File.ReadAllText(_folder["config.json"]), StringComparison.Ordinal);
        using var loaded = LlamaModel.Load(_folder.Path, trainable: false);
        foreach (var (a, b) in model.Parameters.Zip(loaded.Parameters))
            Assert.Equal(a.Weight.Floats.ToArray().Select(value => (float)(BFloat16)value), b.Weight.Floats.ToArray());
    }

    [Fact]
    public void Bfloat16_models_keep_every_bit_and_widen_exactly()
    {
        using var wide = TinyModels.Create();
        using var model = new LlamaModel(TinyModels.Config, 1, trainable: true, DType.BF16);
        model.CopyWeightsFrom(wide);
        model.Save(_folder.Path);
        Assert.Contains("\"torch_dtype\": \"bfloat16\"", File.ReadAllText(_folder["config.json"]), StringComparison.Ordinal);
        using (var file = SafeTensorsFile.Open(_folder["model.safetensors"]))
        {
            Assert.Equal("BF16", file.Entries["model.layers.1.self_attn.k_proj.weight"].Type);
            Assert.Equal("F32", file.Entries["model.norm.weight"].Type);
        }
        using LlamaModel narrow = LlamaModel.Load(_folder.Path, false, DType.BF16), widened = LlamaModel.Load(_folder.Path, false);
        for (int i = 0; i < model.Parameters.Count; i++)
        {
            var weight = model.Parameters[i].Weight;
            Assert.Equal(weight.Shape.Length == 1 ? DType.F32 : DType.BF16, weight.Type);
            Assert.Equal(DType.F32, weight.Gradient!.Type);
            Assert.Equal(weight.Bytes, narrow.Parameters[i].Weight.Bytes);
            var rounded = wide.Parameters[i].Weight.Floats.ToArray().Select(value => weight.Type == DType.F32 ? value : (float)(BFloat16)value);
            Assert.Equal(rounded, widened.Parameters[i].Weight.Floats.ToArray());
        }
        narrow.CopyWeightsFrom(widened);
        Assert.Equal(model.Parameters[0].Weight.Bytes, narrow.Parameters[0].Weight.Bytes);
        Assert.Throws<ArgumentException>(() => new LlamaModel(TinyModels.Config, 1, false, DType.I32));
    }

    // Every value a 16-bit type can hold survives widening: saved in the type it came in, a file has its old bytes, norms included.
    [Theory]
    [InlineData(SafeTensorType.BF16, DType.F32)]
    [InlineData(SafeTensorType.BF16, DType.BF16)]
    [InlineData(SafeTensorType.F16, DType.F32)]
    [InlineData(SafeTensorType.F32, DType.F32)]
    public void A_checkpoint_saved_in_its_own_type_keeps_every_byte(SafeTensorType stored, DType loaded)
    {
        using var model = TinyModels.Create();
        model.Save(_folder["first"], stored, maxShardBytes: 4_000);
        using var read = LlamaModel.Load(_folder["first"], trainable: false, loaded);
        Assert.Equal(stored, read.Config.StoredType);
        read.Save(_folder["second"], stored, maxShardBytes: 4_000);
        string[] names = [.. Directory.GetFiles(_folder["first"]).Select(path => Path.GetFileName(path)).Order()];
        Assert.InRange(names.Length, 4, 20);
        Assert.Equal(names, Directory.GetFiles(_folder["second"]).Select(path => Path.GetFileName(path)).Order());
        foreach (string name in names)
            Assert.Equal(File.ReadAllBytes(Path.Combine(_folder["first"], name)), File.ReadAllBytes(Path.Combine(_folder["second"], name)));
    }

    [Fact]
    public void Shards_and_a_single_file_give_the_same_model()
    {
        using var model = TinyModels.Create(TinyModels.Config with { TieEmbeddings = false });
        model.Save(_folder["one"], type: null);
        model.Save(_folder["many"], type: null, maxShardBytes: 4_000);
        using LlamaModel one = LlamaModel.Load(_folder["one"], false), many = LlamaModel.Load(_folder["many"], false);
        foreach (var (a, b) in one.Parameters.Zip(many.Parameters)) Assert.Equal(a.Weight.Bytes, b.Weight.Bytes);
        using var kernels = new CpuKernels(1);
        int[] ids = TinyModels.Ids(20);
        Assert.Equal(LlamaModelTests.Losses(one, kernels, ids), LlamaModelTests.Losses(many, kernels, ids));
    }

    [Fact]
    public void The_generation_config_travels_with_the_model()
    {
        using var model = TinyModels.Create();
        model.Save(_folder.Path);
        Assert.Equal([2], model.StopIds);
        const string Text = "{\n  \"eos_token_id\": [2, 7],\n  \"temperature\": 0.6\n}\n";
        File.WriteAllText(_folder["generation_config.json"], Text);
        using var loaded = LlamaModel.Load(_folder.Path, trainable: false);
        Assert.Equal([2, 7], loaded.StopIds);
        loaded.Save(_folder["again"]);
        Assert.Equal(Text, File.ReadAllText(_folder["again/generation_config.json"]));
        Assert.Equal(File.ReadAllText(_folder["config.json"]), File.ReadAllText(_folder["again/config.json"]));
        File.WriteAllText(_folder["generation_config.json"], "{\"top_p\": 2}");
        Assert.Contains("top_p", Assert.Throws<InvalidDataException>(() => LlamaModel.Load(_folder.Path, false)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Missing_unknown_and_misshapen_tensors_are_named()
    {
        using var model = TinyModels.Create();
        using var arena = new Arena("test");
        var extra = arena.Floats("extra", 61, 20);
        model.Config.Save(_folder.Path);
        Refused("no tensor", [.. model.NamedWeights.Skip(1)], "missing tensors: model.embed_tokens.weight.");
        Refused("a tied head", [.. model.NamedWeights, new("lm_head.weight", extra)],
            "lm_head.weight (tie_word_embeddings is true)");
        Refused("unknown", [.. model.NamedWeights, new("model.layers.0.self_attn.q_proj.bias", extra)], "q_proj.bias");
        Refused("another shape",
            [.. model.NamedWeights.Where(weight => weight.Name != "model.norm.weight"), new("model.norm.weight", extra)],
            "[61, 20]; the configuration says [20]");
        (model.Config with { TieEmbeddings = false }).Save(_folder.Path);
        Refused("no head", model.NamedWeights, "missing tensors: lm_head.weight (tie_word_embeddings is false)");
        (model.Config with { LayerCount = ModelConfig.MaxLayers }).Save(_folder.Path);
        Refused("absurd depth", model.NamedWeights, "and more");

        model.Config.Save(_folder.Path);
        SafeTensorsWriter.Write(_folder["model.safetensors"],
            [.. model.NamedWeights, new("model.layers.0.self_attn.rotary_emb.inv_freq", extra)]);
        LlamaModel.Load(_folder.Path, trainable: false).Dispose();
        File.Delete(_folder["model.safetensors"]);
        Assert.Throws<FileNotFoundException>(() => LlamaModel.Load(_folder.Path, false));
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(1, false)]
    [InlineData(2, true)]
    [InlineData(3, false)]
    [InlineData(3, true)]
    [InlineData(4, true)]
    public void PyTorch_computes_the_same_losses_and_predictions(int kind, bool packed)
    {
        string script = Path.Combine(Repository.Shared, "peers", "pytorch_logits.py");
        Assert.SkipUnless(File.Exists(script), "shared/peers/pytorch_logits.py is not above the repository");
        Assert.SkipUnless(PyTorch.IsInstalled, PyTorch.Absent);
        var config = kind switch
        {
            0 => TinyModels.Config,
            1 => TinyModels.Config with { TieEmbeddings = false, RopeTheta = 5e5, RopeScaling = new Llama3Scaling(8, 1, 4, 32) },
            2 => TinyModels.Config with { LayerCount = 4, NoRopeInterval = 4, RmsNormEpsilon = 1e-6f },
            // SmolLM3's shape in small, with Llama 3's frequencies.
            3 => ModelPresets.Find("smollm3-3b").Pretraining.Scaled(1.0 / 32, vocabSize: 61, sequenceLength: 160)
                with { RopeScaling = new Llama3Scaling(8, 1, 4, 32) },
            _ => TinyModels.Config with
            {
                MaximalUpdate = new() { BaseEmbeddingSize = 8, BaseLayerCount = 1, EmbeddingMultiplier = 2, LogitsMultiplier = 3 },
            },
        };
        using var model = TinyModels.Create(config);
        using var folded = model.Folded();
        folded.Save(_folder.Path);
        int[] ids = TinyModels.Ids(50);
        int[] starts = [.. ids.Select((_, i) => !packed || i < 13 ? 0 : i < 14 ? 13 : 14)];
        string[] documents = packed ? ["--documents", string.Join(",", starts)] : [];
        string output = PyTorch.Run([script, _folder.Path, string.Join(",", ids), .. documents]);

        using var kernels = new CpuKernels(2);
        float[] logits = TinyModels.Logits(model, kernels, ids, starts);
        using var json = JsonDocument.Parse(output);
        double loss = 0;
        int targets = 0;
        for (int i = 0; i < ids.Length; i++)
        {
            var row = logits.AsSpan(i * config.VocabSize, config.VocabSize);
            var peer = json.RootElement.GetProperty("positions")[i];
            int argmax = row.IndexOf(row.ToArray().Max());
            double logSumExp = Math.Log(row.ToArray().Sum(logit => Math.Exp(logit)));
            Assert.Equal(peer.GetProperty("argmax").GetInt32(), argmax);
            Assert.Equal(peer.GetProperty("logit").GetDouble(), row[argmax], 1e-4);
            Assert.Equal(peer.GetProperty("logsumexp").GetDouble(), logSumExp, 1e-4);
            if (i + 1 == ids.Length || starts[i + 1] != starts[i]) continue;
            loss += logSumExp - row[ids[i + 1]];
            targets++;
        }
        Assert.Equal(json.RootElement.GetProperty("loss").GetDouble(), loss / targets, 1e-4);
    }

    public void Dispose() => _folder.Dispose();

    private void Refused(string what, IEnumerable<NamedTensor> tensors, string message)
    {
        SafeTensorsWriter.Write(_folder["model.safetensors"], tensors);
        string actual = Assert.Throws<InvalidDataException>(() => LlamaModel.Load(_folder.Path, trainable: false)).Message;
        Assert.True(actual.Contains(message, StringComparison.Ordinal), $"{what}: {actual}");
    }
}

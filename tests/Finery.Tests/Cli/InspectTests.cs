using System.Text.Json;
using Finery.Cli.Commands;
using Finery.Models;
using Finery.Models.Weights;
using Finery.Tensors;
using Finery.Tests.Models;
using Xunit;

namespace Finery.Tests.Cli;

public sealed class InspectTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly Arena _arena = new("test");

    [Fact]
    public void A_configuration_alone_says_what_the_model_takes()
    {
        Smol.Save(_folder.Path);
        var facts = Inspection.Of(_folder["config.json"], new(SequenceLength: 4096));
        Assert.Equal("config", (string?)facts["kind"]);
        Assert.Equal(3_075_098_624, (long?)facts["parameters"]);
        Assert.Equal(3_075_098_624, facts["parameters_of"]!.AsObject().Sum(part => (long?)part.Value));
        Assert.Equal((262_668_288L, 0L), ((long?)facts["parameters_of"]!["embedding"], (long?)facts["parameters_of"]!["head"]));
        Assert.Equal(9, (int?)facts["layers_without_rope"]);
        // Pretraining reference 1.7.
        Assert.Equal(2.20736e10, (double)facts["flops_per_token"]!["training_full"]!, 1e5);
        Assert.Equal(1.84497e10 + 3.62388e9 / 2, (double)facts["flops_per_token"]!["training_causal"]!, 1e5);
        var memory = facts["memory"]!.AsArray().ToDictionary(row => (string)row!["type"]!, row => row!);
        Assert.Equal(4 * 3_075_098_624L, (long?)memory["f32"]["weight_bytes"]);
        Assert.Equal(2 * 3_075_098_624L, (long?)memory["bf16"]["weight_bytes"]);
        Assert.Equal(2 * 36 * 4 * 128 * 2, (long?)memory["bf16"]["cache_bytes_per_token"]);
        Assert.Equal(2 * 3_075_098_624L + 4096L * 2 * 36 * 4 * 128 * 2, (long?)memory["bf16"]["total_bytes"]);
        Assert.Equal((long)(3_075_098_624 * 4.5 / 8), (long?)memory["q4"]["weight_bytes"]);
        Assert.Equal("model", (string?)Inspection.Of(_folder.Path, new())["kind"]);
    }

    [Fact]
    public void The_largest_published_models_are_described_without_building_them()
    {
        (Smol with
        {
            EmbeddingSize = 16384, LayerCount = 126, HeadCount = 128, KvHeadCount = 8, HeadSize = 128, FeedForwardSize = 53248,
            TieEmbeddings = false, NoRopeInterval = 0, SequenceLength = 131072,
        }).Save(_folder.Path);
        long before = GC.GetTotalAllocatedBytes();
        Assert.Equal(405_853_388_800, (long?)Inspection.Of(_folder.Path, new())["parameters"]);
        Assert.InRange(GC.GetTotalAllocatedBytes() - before, 0, 64 << 20);
        (Smol with
        {
            EmbeddingSize = 4096, LayerCount = 32, HeadCount = 32, KvHeadCount = 8, FeedForwardSize = 14336,
            TieEmbeddings = false, NoRopeInterval = 0,
        }).Save(_folder.Path);
        Assert.Equal(5.79129e10, (double)Inspection.Of(_folder.Path, new(SequenceLength: 8192))["flops_per_token"]!["training_full"]!, 1e5);
    }

    [Fact]
    public void Shards_types_and_values_are_shown()
    {
        using var model = TinyModels.Create();
        model.Save(_folder.Path, SafeTensorType.BF16, maxShardBytes: 4_000);
        new GenerationConfig { Samples = true, TopP = 0.9, EosIds = [2, 5] }.Save(_folder.Path);
        var facts = Inspection.Of(_folder.Path, new(Values: true));
        Assert.False(facts.ContainsKey(Inspection.Problem));
        Assert.Equal([2, 5], facts["generation"]!["eos"]!.AsArray().Select(id => (int)id!));
        var weights = facts["weights"]!;
        Assert.Equal(model.Config.ParameterCount, (long?)weights["elements"]);
        var type = Assert.Single(weights["types"]!.AsArray())!;
        Assert.Equal(("BF16", 20), ((string?)type["type"], (int?)type["tensors"]));
        foreach (var tensor in weights["tensors"]!.AsArray())
        {
            Assert.Equal(0, (long?)tensor!["non_finite"]);
            if (((string)tensor["name"]!).EndsWith("norm.weight", StringComparison.Ordinal))
                Assert.Equal((1.0, 1.0, 0.0), ((double)tensor["min"]!, (double)tensor["max"]!, (double)tensor["deviation"]!));
        }
        string[] files = [.. weights["tensors"]!.AsArray().Select(tensor => (string)tensor!["file"]!).Distinct()];
        Assert.Equal((int?)weights["files"], files.Length);
        Assert.Equal("safetensors", (string?)Inspection.Of(_folder[SafeTensorsFolder.IndexFile], new())["kind"]);
        Assert.Equal("safetensors", (string?)Inspection.Of(_folder[files[0]], new())["kind"]);
        Assert.Equal("generation config", (string?)Inspection.Of(_folder[GenerationConfig.FileName], new())["kind"]);
        File.Delete(_folder["config.json"]);
        Assert.Equal("safetensors", (string?)Inspection.Of(_folder.Path, new())["kind"]);
    }

    [Fact]
    public void Weights_that_do_not_fit_the_configuration_are_a_problem_and_a_failed_check()
    {
        using var model = TinyModels.Create();
        model.Save(_folder.Path);
        (model.Config with { TieEmbeddings = false }).Save(_folder.Path);
        var (code, output, _) = CommandLineTests.Run(["inspect", _folder.Path]);
        Assert.Equal(4, code);
        Assert.Contains("lm_head.weight", output, StringComparison.Ordinal);
        Assert.Contains("model.layers.1.mlp.down_proj.weight", output, StringComparison.Ordinal);
    }

    [Fact]
    public void Gguf_files_are_shown_with_long_arrays_abbreviated()
    {
        var tensor = _arena.Floats("t", 2, 3);
        for (int i = 0; i < 6; i++) tensor.Floats[i] = i;
        GgufWriter.Write(_folder["x.gguf"],
            [
                new("general.architecture", "llama"), new("f", 0.5f), new("few", (int[])[1, 2]),
                new("tokenizer.ggml.tokens", (string[])[.. Enumerable.Range(0, 1000).Select(i => $"t{i}")]),
            ],
            [TensorSource.Of(new("t", tensor))]);
        var facts = Inspection.Of(_folder["x.gguf"], new(Values: true));
        Assert.Equal(("gguf", "llama"), ((string?)facts["kind"], (string?)facts["values"]!["general.architecture"]));
        var tokens = facts["values"]!["tokenizer.ggml.tokens"]!;
        Assert.Equal((1000, 8), ((int?)tokens["count"], tokens["first"]!.AsArray().Count));
        var row = Assert.Single(facts["tensors"]!.AsArray())!;
        Assert.Equal([2, 3], row["shape"]!.AsArray().Select(size => (long)size!));
        Assert.Equal(2.5, (double?)row["mean"]);
        var (code, output, _) = CommandLineTests.Run(["inspect", _folder["x.gguf"]]);
        Assert.Equal(0, code);
        Assert.Contains("general.architecture: llama", output, StringComparison.Ordinal);
        using var json = JsonDocument.Parse(CommandLineTests.Run(["inspect", _folder["x.gguf"], "--json", "--values"]).Out);
    }

    [Theory]
    [InlineData("x.safetensors", "at least 8")]
    [InlineData("model.safetensors.index.json", "JSON")]
    [InlineData("x.gguf", "GGUF")]
    [InlineData("config.json", "JSON")]
    [InlineData("generation_config.json", "JSON")]
    [InlineData("mix.json", "JSON")]
    public void Damaged_files_end_in_a_clear_error(string name, string message)
    {
        File.WriteAllText(_folder[name], "{bad");
        string error = Assert.Throws<InvalidDataException>(() => Inspection.Of(_folder[name], new())).Message;
        Assert.Contains(message, error, StringComparison.Ordinal);
        Assert.Contains(name, error, StringComparison.Ordinal);
        if (name != "x.gguf") return;
        var (code, output, printed) = CommandLineTests.Run(["inspect", _folder[name]]);
        Assert.Equal((1, ""), (code, output));
        Assert.Contains(error, printed, StringComparison.Ordinal);
    }

    public void Dispose()
    {
        _arena.Dispose();
        _folder.Dispose();
    }

    private static ModelConfig Smol { get; } = new()
    {
        VocabSize = 128256, EmbeddingSize = 2048, LayerCount = 36, HeadCount = 16, KvHeadCount = 4, HeadSize = 128, FeedForwardSize = 11008,
        SequenceLength = 65536, RopeTheta = 5e6, NoRopeInterval = 4,
    };
}

using System.Text;
using Finery.Models;
using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Models;

public class ModelConfigTests
{
    // Pretraining reference 1.1.
    [Theory]
    [InlineData(128256, 4096, 32, 32, 8, 128, 14336, false, 8_030_261_248)]
    [InlineData(128256, 8192, 80, 64, 8, 128, 28672, false, 70_553_706_496)]
    [InlineData(128256, 16384, 126, 128, 8, 128, 53248, false, 405_853_388_800)]
    [InlineData(128256, 2048, 36, 16, 4, 128, 11008, true, 3_075_098_624)]
    [InlineData(49152, 576, 30, 9, 3, 64, 1536, true, 134_515_008)]
    [InlineData(128256, 2048, 16, 32, 8, 64, 8192, true, 1_235_814_400)]
    [InlineData(128256, 3072, 28, 24, 8, 128, 8192, true, 3_212_749_824)]
    [InlineData(49152, 960, 32, 15, 5, 64, 2560, true, 361_821_120)]
    public void Parameter_counts_are_the_published_ones(
        int v, int d, int l, int h, int kv, int hd, int ff, bool tied, long expected) =>
        Assert.Equal((expected, expected),
            (Shape(v, d, l, h, kv, hd, ff, tied).ParameterCount, Shape(v, d, l, h, kv, hd, ff, tied).ParameterParts.Total));

    [Fact]
    public void Training_flops_are_the_full_convention()
    {
        var smol = Shape(128256, 2048, 36, 16, 4, 128, 11008, true);
        Assert.Equal(3_074_949_120, smol.MatmulWeights);
        Assert.Equal(1.84497e10 + 3.62388e9 / 2, smol.CausalTrainingFlopsPerToken(4096), 1e5);
        Assert.Equal(2.20736e10, smol.TrainingFlopsPerToken(4096), 1e5);
        Assert.Equal(5.79129e10, Shape(128256, 4096, 32, 32, 8, 128, 14336, false).TrainingFlopsPerToken(8192), 1e5);
    }

    [Fact]
    public void Saved_and_loaded_configurations_are_equal()
    {
        ModelConfig[] configs =
        [
            TinyModels.Config,
            TinyModels.Config with { EosIds = [2, 5, 9], PadId = 4, BosId = null, TieEmbeddings = false, RmsNormEpsilon = 1e-6f },
            TinyModels.Config with { RopeTheta = 5e5, RopeScaling = new Llama3Scaling(8, 1, 4, 8192), NoRopeInterval = 2 },
            TinyModels.Config with { RopeScaling = new YarnScaling(2, 32) },
            TinyModels.Config with { QkNorm = true, TieEmbeddings = false },
            TinyModels.Config with { QkNorm = true, NoRopeInterval = 2 },
            TinyModels.Config with { AttentionSoftcap = 50 },
            TinyModels.Config with { LogitSoftcap = 15, LogitSoftcapCurve = SoftcapCurve.InverseSquareRoot, QkNorm = true },
            TinyModels.Config with { MaximalUpdate = new() { BaseEmbeddingSize = 5 } },
            TinyModels.Config with
            {
                MaximalUpdate = new() { BaseEmbeddingSize = 10, BaseLayerCount = 4, EmbeddingMultiplier = 0.1, LogitsMultiplier = 3 },
            },
            TinyModels.Config with { RopeScaling = new YarnScaling(4, 16) { FastTurns = 24, SlowTurns = 2, AttentionFactor = 1.25 } },
        ];
        using var folder = new TemporaryFolder();
        foreach (var config in configs)
        {
            config.Save(folder.Path);
            var loaded = ModelConfig.Load(folder.Path);
            Assert.Equal(config, loaded);
            Assert.Equal(config.EosIds, loaded.EosIds);
            Assert.Equal(config.RopeScaling, loaded.RopeScaling);
        }
        Assert.NotEqual(configs[0], configs[1]);
        Assert.False(File.Exists(folder["config.json.tmp"]));
    }

    [Fact]
    public void Both_spellings_of_rope_settings_are_read()
    {
        const string Scaling = """
            "factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":8192
            """;
        var old = With(("rope_theta", "5e5"), ("rope_scaling", $$"""{"type":"llama3",{{Scaling}}}"""),
            ("torch_dtype", "\"bfloat16\""));
        var nested = With(("rope_parameters", $$"""{"rope_theta":5e5,"rope_type":"llama3",{{Scaling}}}"""),
            ("dtype", "\"bfloat16\""));
        Assert.Equal(old, nested);
        Assert.Equal(5e5, old.RopeTheta);
        Assert.Equal(new Llama3Scaling(8, 1, 4, 8192), old.RopeScaling);
        Assert.Null(With(("rope_parameters", """{"rope_theta":1e4,"rope_type":"default"}""")).RopeScaling);
    }

    [Fact]
    public void Yarn_is_read_in_both_spellings()
    {
        const string Scaling = "\"factor\":2.0,\"original_max_position_embeddings\":65536";
        var old = With(("rope_theta", "5e6"), ("rope_scaling", $$"""{"type":"yarn",{{Scaling}}}"""));
        Assert.Equal(old, With(("rope_theta", "5e6"), ("rope_scaling", $$"""{"rope_type":"yarn",{{Scaling}}}""")));
        Assert.Equal(old, With(("rope_parameters", $$"""{"rope_theta":5e6,"rope_type":"yarn","attention_factor":null,{{Scaling}}}""")));
        Assert.Equal(new YarnScaling(2, 65536), old.RopeScaling);
        var whole = With(("max_position_embeddings", "4096"), ("rope_scaling", """{"type":"yarn","factor":2}"""));
        Assert.Equal(4096, whole.RopeScaling!.OriginalSequenceLength);
    }

    [Fact]
    public void Absent_keys_have_the_defaults_of_the_class()
    {
        var config = Parse($"{{{Required}}}");
        Assert.Equal((8, 16, 2048, 1e-6f, 1e4, false), (config.KvHeadCount, config.HeadSize, config.SequenceLength,
            config.RmsNormEpsilon, config.RopeTheta, config.TieEmbeddings));
        Assert.Empty(config.EosIds);
        Assert.Null(config.BosId);
    }

    [Fact]
    public void End_of_text_may_be_one_or_several()
    {
        Assert.Equal([9], With(("eos_token_id", "9")).EosIds);
        var several = With(("eos_token_id", "[9,8,1]"));
        Assert.Equal([9, 8, 1], several.EosIds);
        Assert.Equal(9, several.EosId);
    }

    // Facts of Qwen3's configuration class: head_dim 128 where absent, no bias, no sliding window.
    [Fact]
    public void Qk_norm_alone_is_Qwen3_and_what_no_other_program_computes_says_so()
    {
        string qwen = (TinyModels.Config with { QkNorm = true }).ToJson();
        foreach (string part in new[] { "\"Qwen3ForCausalLM\"", "\"model_type\": \"qwen3\"", "\"head_dim\": 6", "\"attention_bias\": false",
            "\"use_sliding_window\": false", "\"sliding_window\": null" }) Assert.Contains(part, qwen, StringComparison.Ordinal);
        var read = With(("model_type", "\"qwen3\""));
        Assert.Equal((true, 128, 32768, 1e-6f, false), (read.QkNorm, read.HeadSize, read.SequenceLength, read.RmsNormEpsilon, read.TieEmbeddings));
        foreach (var config in new[]
        {
            TinyModels.Config with { QkNorm = true, NoRopeInterval = 4 }, TinyModels.Config with { AttentionSoftcap = 1 },
            TinyModels.Config with { LogitSoftcap = 1 }, TinyModels.Config with { MaximalUpdate = new() { BaseEmbeddingSize = 5 } },
        })
        {
            Assert.Contains("\"model_type\": \"finery\"", config.ToJson(), StringComparison.Ordinal);
        }
        Fails("final_logit_softcapping_curve", Json([("model_type", "\"finery\""), ("final_logit_softcapping_curve", "\"square\"")]));
        Fails("attn_logit_softcapping", Json([("model_type", "\"finery\""), ("attn_logit_softcapping", "-1")]));
        Fails("base_hidden_size", Json([("model_type", "\"finery\""), ("maximal_update", "{}")]));
        Fails("maximal_update", Json([("model_type", "\"finery\""), ("maximal_update", "{\"base_hidden_size\":0}")]));
    }

    [Fact]
    public void Qk_norm_adds_two_gains_of_a_head_to_every_layer()
    {
        // Qwen3-0.6B as published: 596,049,920 parameters.
        var config = Shape(151936, 1024, 28, 16, 8, 128, 3072, true) with { QkNorm = true };
        Assert.Equal((596_049_920, 596_049_920), (config.ParameterCount, config.ParameterParts.Total));
    }

    [Fact]
    public void SmolLM3_skips_rope_at_every_fourth_layer()
    {
        var config = Shape(128256, 2048, 36, 16, 4, 128, 11008, true) with { NoRopeInterval = 4 };
        Assert.Equal([3, 7, 11, 15, 19, 23, 27, 31, 35], Enumerable.Range(0, 36).Where(layer => !config.UsesRope(layer)));
        Assert.Equal(config, ModelConfig.Parse(Encoding.UTF8.GetBytes(config.ToJson())));
        const string Smol = "\"smollm3\"";
        Assert.Equal(4, With(("model_type", Smol)).NoRopeInterval);
        Assert.Equal(0, With(("model_type", Smol), ("no_rope_layers", "[1,1,1,1,1,1,1,1]")).NoRopeInterval);
        Assert.Contains("no_rope_layers is 1 at layer 1", Assert.Throws<InvalidDataException>(
            () => With(("model_type", Smol), ("no_rope_layers", "[0,1,1,1,1,1,1,1]"))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("attention_bias", "true")]
    [InlineData("mlp_bias", "true")]
    [InlineData("hidden_act", "\"gelu\"")]
    [InlineData("rope_scaling", "{\"type\":\"dynamic\",\"factor\":2}", "dynamic")]
    [InlineData("rope_scaling", "{\"type\":\"yarn\"}", "factor")]
    [InlineData("rope_scaling", "{\"type\":\"yarn\",\"factor\":0.5,\"original_max_position_embeddings\":8}", "factor")]
    [InlineData("rope_scaling", "{\"type\":\"yarn\",\"factor\":2,\"original_max_position_embeddings\":8,\"beta_fast\":1}", "beta_fast")]
    [InlineData("rope_scaling", "{\"type\":\"yarn\",\"factor\":2,\"mscale\":1}", "mscale")]
    [InlineData("rope_scaling", "{\"type\":\"llama3\",\"factor\":2}", "low_freq_factor")]
    [InlineData("rope_scaling", "[1]")]
    [InlineData("eos_token_id", "128", "eos")]
    [InlineData("eos_token_id", "\"a\"")]
    [InlineData("num_key_value_heads", "3")]
    [InlineData("head_dim", "7")]
    [InlineData("head_dim", "1.5")]
    [InlineData("rms_norm_eps", "0")]
    [InlineData("rope_theta", "-1")]
    [InlineData("max_position_embeddings", "0")]
    [InlineData("tie_word_embeddings", "1")]
    [InlineData("head_dim", "2147483646", "weight matrix")]
    [InlineData("max_position_embeddings", "2147483647")]
    [InlineData("num_hidden_layers", "65537")]
    [InlineData("model_type", "\"mistral\"")]
    [InlineData("use_sliding_window", "true")]
    [InlineData("rope_interleaved", "true")]
    [InlineData("partial_rotary_factor", "0.5")]
    [InlineData("quantization_config", "{\"quant_method\":\"gptq\"}")]
    [InlineData("layer_types", "[\"full_attention\"]")]
    [InlineData("rope_parameters", "{\"rope_type\":\"linear\",\"factor\":2}", "linear")]
    [InlineData("rope_parameters", "{\"full_attention\":{\"rope_type\":\"default\"}}", "full_attention")]
    [InlineData("rope_parameters", "{\"partial_rotary_factor\":0.25}", "partial_rotary_factor")]
    [InlineData("rope_scaling", "{\"type\":\"linear\",\"rope_type\":\"yarn\",\"factor\":2}", "type is 'linear'")]
    [InlineData("rope_scaling", "null,\"rope_theta\":1e4,\"rope_parameters\":{\"rope_theta\":5e5}", "remove one of them")]
    [InlineData("rope_scaling", "{\"type\":\"yarn\",\"factor\":2,\"original_max_position_embeddings\":8},\"rope_parameters\":{\"rope_theta\":5e5}", "contradict")]
    public void Unsupported_and_impossible_values_are_named(string key, string value, string? named = null) =>
        Fails(named ?? key, Json([(key, value)]));

    [Fact]
    public void Layers_of_other_kinds_and_contradictory_rope_lists_are_named()
    {
        string kinds = string.Join(",", Enumerable.Repeat("\"full_attention\"", 7));
        Fails("sliding_attention", Json([("layer_types", $"[{kinds},\"sliding_attention\"]")]));
        Assert.Equal(8, With(("layer_types", $"[{kinds},\"full_attention\"]")).LayerCount);
        (string, string) smol = ("model_type", "\"smollm3\"");
        foreach (var (interval, list, message) in new[]
        {
            // 0 and 1 the wrong way round, as one published card has them; not a pattern; not a bit.
            ("4", "[0,0,0,1,0,0,0,1]", "is 1 at layer 3"),
            ("null", "[1,0,1,0,1,1,1,1]", "is 1 at layer 5"), ("null", "[1,1,1,2,1,1,1,0]", "contains 2"), ("4", "[1,1,1,0]", "8 values"),
            ("-1", "null", "negative"),
        })
        {
            Fails(message, Json([smol, ("no_rope_layer_interval", interval), ("no_rope_layers", list)]));
        }
        foreach (var (interval, list, expected) in new[]
        {
            ("null", "[1,0,1,0,1,0,1,0]", 2), ("4", "[1,1,1,0,1,1,1,0]", 4), ("2", "[1,1,1,0,1,1,1,0]", 4),
            ("4", "[1,1,1,1,1,1,1,1]", 0), ("9", "[1,1,1,1,1,1,1,1]", 0), ("3", "null", 3),
            ("1", "[0,0,0,0,0,0,0,0]", 1),
        })
        {
            Assert.Equal(expected, With(smol, ("no_rope_layer_interval", interval), ("no_rope_layers", list)).NoRopeInterval);
        }
    }

    [Theory]
    [InlineData("vocab_size")]
    [InlineData("hidden_size")]
    [InlineData("num_hidden_layers")]
    [InlineData("model_type")]
    public void Missing_keys_are_named(string key) => Fails(key, $"{{{Required.Replace(key, "x", StringComparison.Ordinal)}}}");

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("\u0001")]
    public void Anything_but_an_object_is_refused(string json) => Fails("", json);

    [Fact]
    public void Text_that_is_not_Unicode_is_refused() => Fails("JSON", Json([("model_type", "\"\\ud800\"")]));

    [Fact]
    public void A_file_far_too_large_is_not_read()
    {
        using var folder = new TemporaryFolder();
        using (var stream = File.Create(folder["config.json"])) stream.SetLength(1L << 33);
        Assert.Contains("at most", Assert.Throws<InvalidDataException>(() => ModelConfig.Load(folder.Path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_without_configuration_says_so()
    {
        using var folder = new TemporaryFolder();
        Assert.Contains("config.json", Assert.Throws<FileNotFoundException>(() => ModelConfig.Load(folder.Path)).Message,
            StringComparison.Ordinal);
        File.WriteAllText(folder["config.json"], "{}");
        Assert.Contains(folder.Path, Assert.Throws<InvalidDataException>(() => ModelConfig.Load(folder.Path)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Every_error_is_reported()
    {
        var errors = (TinyModels.Config with { KvHeadCount = 3, HeadSize = 5, EosId = 61 }).Validate();
        Assert.Equal(3, errors.Count);
        Assert.Empty(TinyModels.Config.Validate());
    }

    private const string Required =
        """
        "model_type":"llama","vocab_size":128,"hidden_size":128,"num_hidden_layers":8,"num_attention_heads":8,
        "intermediate_size":64
        """;

    private static ModelConfig Parse(string json) => ModelConfig.Parse(Encoding.UTF8.GetBytes(json));

    private static ModelConfig With(params (string Key, string Value)[] more) => Parse(Json(more));

    // Later entries win, as in every JSON reader.
    private static string Json((string Key, string Value)[] more) =>
        "{" + string.Join(",", [Required, .. more.Select(entry => $"\"{entry.Key}\":{entry.Value}")]) + "}";

    private static void Fails(string part, string json) =>
        Assert.Contains(part, Assert.Throws<InvalidDataException>(() => Parse(json)).Message, StringComparison.Ordinal);

    private static ModelConfig Shape(int v, int d, int l, int h, int kv, int hd, int ff, bool tied) => new()
    {
        VocabSize = v, EmbeddingSize = d, LayerCount = l, HeadCount = h, KvHeadCount = kv, HeadSize = hd, FeedForwardSize = ff,
        SequenceLength = 4096, TieEmbeddings = tied,
    };
}

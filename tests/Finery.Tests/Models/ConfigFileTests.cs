using System.Text;
using System.Text.Json;
using Finery.Models;
using Finery.Models.Weights;
using Xunit;

namespace Finery.Tests.Models;

/// <summary>Configurations as Hugging Face writes them: keys sorted, two spaces, Python's numbers.</summary>
public sealed class ConfigFileTests : IDisposable
{
    private const string Llama31 = """
        {
          "architectures": [
            "LlamaForCausalLM"
          ],
          "attention_bias": false,
          "attention_dropout": 0.0,
          "bos_token_id": 128000,
          "eos_token_id": [
            128001,
            128008,
            128009
          ],
          "hidden_act": "silu",
          "hidden_size": 4096,
          "initializer_range": 0.02,
          "intermediate_size": 14336,
          "max_position_embeddings": 131072,
          "mlp_bias": false,
          "model_type": "llama",
          "num_attention_heads": 32,
          "num_hidden_layers": 32,
          "num_key_value_heads": 8,
          "pretraining_tp": 1,
          "rms_norm_eps": 1e-05,
          "rope_scaling": {
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
            "rope_type": "llama3"
          },
          "rope_theta": 500000.0,
          "tie_word_embeddings": false,
          "torch_dtype": "bfloat16",
          "transformers_version": "4.42.3",
          "use_cache": true,
          "vocab_size": 128256
        }

        """;

    private const string Nested = """
        {
          "architectures": [
            "LlamaForCausalLM"
          ],
          "dtype": "bfloat16",
          "head_dim": 64,
          "hidden_size": 2048,
          "intermediate_size": 8192,
          "max_position_embeddings": 131072,
          "model_type": "llama",
          "num_attention_heads": 32,
          "num_hidden_layers": 16,
          "num_key_value_heads": 8,
          "rope_parameters": {
            "factor": 32.0,
            "high_freq_factor": 4.0,
            "low_freq_factor": 1.0,
            "original_max_position_embeddings": 8192,
            "rope_theta": 500000.0,
            "rope_type": "llama3"
          },
          "tie_word_embeddings": true,
          "transformers_version": "5.0.0",
          "vocab_size": 128256
        }

        """;

    private readonly TemporaryFolder _folder = new();

    private static string SmolLM3 => $$"""
        {
          "architectures": [
            "SmolLM3ForCausalLM"
          ],
          "bos_token_id": null,
          "eos_token_id": 128012,
          "head_dim": 128,
          "hidden_act": "silu",
          "hidden_size": 2048,
          "intermediate_size": 11008,
          "layer_types": [
        {{string.Join(",\n", Enumerable.Repeat("    \"full_attention\"", 36))}}
          ],
          "max_position_embeddings": 65536,
          "max_window_layers": 28,
          "model_type": "smollm3",
          "no_rope_layer_interval": 4,
          "no_rope_layers": [
        {{string.Join(",\n", Enumerable.Range(1, 36).Select(layer => layer % 4 == 0 ? "    0" : "    1"))}}
          ],
          "num_attention_heads": 16,
          "num_hidden_layers": 36,
          "num_key_value_heads": 4,
          "pad_token_id": 128004,
          "pretraining_tp": 2,
          "rms_norm_eps": 1e-06,
          "rope_scaling": null,
          "rope_theta": 5000000.0,
          "sliding_window": null,
          "torch_dtype": "bfloat16",
          "transformers_version": "4.53.0.dev0",
          "use_cache": false,
          "use_sliding_window": false,
          "vocab_size": 128256
        }

        """;

    [Fact]
    public void Published_configurations_are_understood()
    {
        var llama = Parse(Llama31);
        Assert.Equal((8_030_261_248, 128, 500_000.0, false, SafeTensorType.BF16),
            (llama.ParameterCount, llama.HeadSize, llama.RopeTheta, llama.TieEmbeddings, llama.StoredType));
        Assert.Equal([128001, 128008, 128009], llama.EosIds);
        Assert.Equal(new Llama3Scaling(8, 1, 4, 8192), llama.RopeScaling);
        var small = Parse(Nested);
        Assert.Equal((1_235_814_400, 500_000.0, SafeTensorType.BF16), (small.ParameterCount, small.RopeTheta, small.StoredType));
        Assert.Equal(new Llama3Scaling(32, 1, 4, 8192), small.RopeScaling);
        var smol = Parse(SmolLM3);
        Assert.Equal((3_075_098_624, 4, 5e6, true, 128012, 128004),
            (smol.ParameterCount, smol.NoRopeInterval, smol.RopeTheta, smol.TieEmbeddings, smol.EosId, smol.PadId));
    }

    [Fact]
    public void An_unchanged_file_is_saved_byte_for_byte()
    {
        string[] texts =
            [Llama31, Nested, SmolLM3, "{\"x\" : 1e0, " + Llama31[1..], Llama31.Replace("\n", "\r\n", StringComparison.Ordinal)];
        foreach (string text in texts)
            Assert.Equal(text, Saved(Parse(text)));
    }

    [Fact]
    public void Only_what_has_changed_is_replaced()
    {
        var llama = Parse(Llama31);
        Assert.Equal(Llama31.Replace("\"bfloat16\"", "\"float32\"", StringComparison.Ordinal)
                .Replace("128256\n", "128256,\n  \"head_dim\": 128,\n  \"pad_token_id\": null\n", StringComparison.Ordinal),
            Saved(llama, SafeTensorType.F32));
        string text = Saved(llama with { VocabSize = 128320, PadId = 128004 });
        Assert.Contains("\"transformers_version\": \"4.42.3\"", text, StringComparison.Ordinal);
        Assert.Contains("\"rms_norm_eps\": 1e-05", text, StringComparison.Ordinal);
        Assert.Contains("\"vocab_size\": 128320,\n", text, StringComparison.Ordinal);
        Assert.Contains("\"pad_token_id\": 128004\n}", text, StringComparison.Ordinal);
        Assert.DoesNotContain("\"initializer_range\": 0.02,\n  \"initializer_range\"", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Whatever_changes_is_read_back_in_any_spelling()
    {
        foreach (var read in (ModelConfig[])[Parse(Llama31), Parse(Nested), Parse(SmolLM3)])
        {
            ModelConfig[] changes =
            [
                read with { RopeTheta = 1e4 }, read with { RopeScaling = null }, read with { RopeScaling = new YarnScaling(2, 65536) },
                read with { LayerCount = 8 }, read with { NoRopeInterval = 2 }, read with { NoRopeInterval = 0 }, read with { EosIds = [] },
                read with { EosIds = [1, 2] }, read with { HeadSize = 32 }, read with { TieEmbeddings = !read.TieEmbeddings },
                read with { BosId = 7, RmsNormEpsilon = 1e-3f, SequenceLength = 99 },
            ];
            foreach (var changed in changes)
            {
                string text = Saved(changed);
                Assert.Equal(changed, Parse(text));
                Assert.Equal(text, Saved(Parse(text)));
                Assert.Contains("transformers_version", text, StringComparison.Ordinal);
                using var json = JsonDocument.Parse(text, new JsonDocumentOptions { AllowDuplicateProperties = false });
            }
        }
        Assert.Contains("rope_parameters", Saved(Parse(Nested) with { RopeTheta = 1e4 }), StringComparison.Ordinal);
        Assert.DoesNotContain("\"rope_theta\": 10000,\n  \"", Saved(Parse(Nested) with { RopeTheta = 1e4 }), StringComparison.Ordinal);
        Assert.DoesNotContain("torch_dtype", Saved(Parse(Nested), SafeTensorType.F16), StringComparison.Ordinal);
        Assert.Contains("\"dtype\": \"float16\"", Saved(Parse(Nested), SafeTensorType.F16), StringComparison.Ordinal);
    }

    [Fact]
    public void A_generation_config_is_read_and_saved_as_it_was()
    {
        const string Text = """
            {
              "bos_token_id": 128000,
              "do_sample": true,
              "eos_token_id": [
                128001,
                128008,
                128009
              ],
              "temperature": 0.6,
              "top_p": 0.9,
              "transformers_version": "4.42.3"
            }

            """;
        File.WriteAllText(_folder[GenerationConfig.FileName], Text);
        var config = GenerationConfig.Load(_folder.Path)!;
        Assert.Equal((true, 0.6, 0.9, null, 128000), (config.Samples, config.Temperature, config.TopP, config.TopK, config.BosId));
        Assert.Equal([128001, 128008, 128009], config.EosIds);
        config.Save(_folder["again"]);
        Assert.Equal(Text, File.ReadAllText(_folder["again/" + GenerationConfig.FileName]));
        (config with { EosIds = [5], TopK = 20, Temperature = null }).Save(_folder.Path);
        string changed = File.ReadAllText(_folder[GenerationConfig.FileName]);
        Assert.Equal("4.42.3", JsonDocument.Parse(changed).RootElement.GetProperty("transformers_version").GetString());
        Assert.Equal(config with { EosIds = [5], TopK = 20, Temperature = null }, GenerationConfig.Load(_folder.Path));
        Assert.Null(GenerationConfig.Load(_folder["again/none"]));
        var made = new GenerationConfig { Samples = false, TopP = 0.5, EosIds = [3] };
        made.Save(_folder["made"]);
        Assert.Equal(made, GenerationConfig.Load(_folder["made"]));
    }

    [Theory]
    [InlineData("[]", "object")]
    [InlineData("{", "JSON")]
    [InlineData("{\"temperature\":-1}", "temperature")]
    [InlineData("{\"top_p\":0}", "top_p")]
    [InlineData("{\"top_k\":-1}", "top_k")]
    [InlineData("{\"do_sample\":1}", "do_sample")]
    [InlineData("{\"eos_token_id\":[\"a\"]}", "eos_token_id")]
    [InlineData("{\"repetition_penalty\":1e999}", "repetition_penalty")]
    public void Impossible_generation_settings_are_named(string text, string message)
    {
        File.WriteAllText(_folder[GenerationConfig.FileName], text);
        Assert.Contains(message, Assert.Throws<InvalidDataException>(() => GenerationConfig.Load(_folder.Path)).Message, StringComparison.Ordinal);
    }

    public void Dispose() => _folder.Dispose();

    private static ModelConfig Parse(string json) => ModelConfig.Parse(Encoding.UTF8.GetBytes(json));

    private string Saved(ModelConfig config, SafeTensorType? type = null)
    {
        config.Save(_folder["saved"], type);
        return File.ReadAllText(_folder["saved/config.json"]);
    }
}

using System.Text.Json;
using Finery.Models.Weights;
using Finery.Tensors;
using static Finery.Models.JsonFields;

namespace Finery.Models;

// Reading of config.json.
public sealed partial record ModelConfig
{
    private static SoftcapCurve ReadCurve(JsonElement json)
    {
        if (Find(json, "final_logit_softcapping_curve") is not { } name) return SoftcapCurve.Tanh;
        int curve = Array.IndexOf(CurveNames, name.ToString());
        return curve >= 0 ? (SoftcapCurve)curve : throw new InvalidDataException(
            $"final_logit_softcapping_curve is {Shown(name)}; expected {string.Join(" or ", CurveNames)}.");
    }

    private static ModelConfig Read(JsonElement json)
    {
        string type = Find(json, "model_type") is { ValueKind: JsonValueKind.String } text ? text.GetString()! : "";
        if (!Families.ContainsKey(type))
        {
            throw new InvalidDataException(
                $"model_type '{SafeTensorsHeader.Shown(type)}' is not supported; expected '{string.Join("', '", Families.Keys)}'.");
        }
        bool smol = type == "smollm3", qwen = type == "qwen3", own = type == Own;
        foreach (var (key, only) in OnlySupported)
        {
            if (Find(json, key) is { } value && !string.Equals(value.ToString(), only, StringComparison.OrdinalIgnoreCase))
                throw new InvalidDataException($"{key} is {Shown(value)}; only {only} is supported.");
        }
        if (Find(json, "quantization_config") is not null)
        {
            throw new InvalidDataException(
                "quantization_config: quantised weights are not supported; use the unquantised checkpoint.");
        }
        int heads = Integer(json, "num_attention_heads");
        int width = Integer(json, "hidden_size");
        int layers = Integer(json, "num_hidden_layers");
        CheckLayerTypes(json, layers);
        var (theta, scaling) = ReadRope(json, smol ? 2e6 : 1e4);
        return new ModelConfig
        {
            VocabSize = Integer(json, "vocab_size"),
            EmbeddingSize = width,
            LayerCount = layers,
            HeadCount = heads,
            KvHeadCount = Integer(json, "num_key_value_heads", heads),
            HeadSize = IntegerOrNull(json, "head_dim") ?? (qwen ? 128 : DefaultHeadSize(width, heads)),
            FeedForwardSize = Integer(json, "intermediate_size"),
            SequenceLength = Integer(json, "max_position_embeddings", smol || qwen ? 32768 : 2048),
            RmsNormEpsilon = (float)Number(json, "rms_norm_eps", 1e-6),
            RopeTheta = theta,
            RopeScaling = scaling,
            NoRopeInterval = smol || (own && Find(json, "no_rope_layers") is not null) ? ReadNoRopeInterval(json, layers) : 0,
            QkNorm = qwen || (own && Flag(json, "qk_norm", false)),
            AttentionSoftcap = own ? (float)Number(json, "attn_logit_softcapping", 0) : 0,
            LogitSoftcap = own ? (float)Number(json, "final_logit_softcapping", 0) : 0,
            LogitSoftcapCurve = own ? ReadCurve(json) : SoftcapCurve.Tanh,
            MaximalUpdate = own && Find(json, "maximal_update") is { } update ? MaximalUpdate.Read(update) : null,
            TieEmbeddings = Flag(json, "tie_word_embeddings", smol),
            BosId = IntegerOrNull(json, "bos_token_id"),
            EosIds = Integers(json, "eos_token_id"),
            PadId = IntegerOrNull(json, "pad_token_id"),
            StoredType = ReadType(Find(json, "torch_dtype") ?? Find(json, "dtype")),
        };
    }

    private static SafeTensorType? ReadType(JsonElement? name)
    {
        foreach (var (type, spelling) in TypeNames)
            if (name is { ValueKind: JsonValueKind.String } text && text.ValueEquals(spelling)) return type;
        return null;
    }

    private static int DefaultHeadSize(int width, int heads)
    {
        if (heads <= 0 || width % heads != 0)
            throw new InvalidDataException(
                $"hidden_size {width} is not a multiple of num_attention_heads {heads} and head_dim is absent.");
        return width / heads;
    }

    /// <summary>Either spelling, or both where they agree.</summary>
    private static (double Theta, RopeScaling? Scaling) ReadRope(JsonElement json, double defaultTheta)
    {
        CheckWhole(json);
        var context = Find(json, "max_position_embeddings");
        double? theta = NumberOrNull(json, "rope_theta");
        var old = Find(json, "rope_scaling") is { } outer ? ReadScaling(outer, "rope_scaling", context) : null;
        if (Find(json, "rope_parameters") is not { } nested) return (theta ?? defaultTheta, old);

        var scaling = ReadScaling(nested, "rope_parameters", context);
        if (NumberOrNull(nested, "rope_theta") is { } inner)
        {
            if (theta is { } other && other != inner)
                throw new InvalidDataException($"rope_theta is {other}, but {inner} in rope_parameters: remove one of them.");
            theta = inner;
        }
        if (Find(json, "rope_scaling") is not null && old != scaling)
            throw new InvalidDataException("rope_scaling and rope_parameters contradict each other: remove one of them.");
        return (theta ?? defaultTheta, scaling);
    }

    private static void CheckWhole(JsonElement json)
    {
        if (NumberOrNull(json, "partial_rotary_factor") is { } part and not 1)
            throw new InvalidDataException($"partial_rotary_factor is {part}; only 1 is supported.");
    }

    private static RopeScaling? ReadScaling(JsonElement scaling, string key, JsonElement? context)
    {
        if (scaling.ValueKind != JsonValueKind.Object) throw new InvalidDataException($"{key} is not an object.");
        foreach (var value in scaling.EnumerateObject().Where(value => value.Value.ValueKind == JsonValueKind.Object))
        {
            throw new InvalidDataException(
                $"{key}.{SafeTensorsHeader.Shown(value.Name)}: settings per kind of layer are not supported.");
        }
        CheckWhole(scaling);
        var (type, older) = (Find(scaling, "rope_type"), Find(scaling, "type"));
        string name = SafeTensorsHeader.Shown((type ?? older)?.ToString() ?? "default");
        if (type is not null && older is { } contradiction && contradiction.ToString() != type.ToString())
            throw new InvalidDataException($"{key}: rope_type is '{name}' but type is '{Shown(contradiction)}': remove one of them.");
        return name switch
        {
            "default" => null,
            "llama3" => new Llama3Scaling(
                Number(scaling, "factor"), Number(scaling, "low_freq_factor"), Number(scaling, "high_freq_factor"),
                Integer(scaling, "original_max_position_embeddings")),
            "yarn" => ReadYarn(scaling, context),
            _ => throw new InvalidDataException($"{key} of type '{name}' is not supported; only 'llama3' and 'yarn' are."),
        };
    }

    private static YarnScaling ReadYarn(JsonElement scaling, JsonElement? context)
    {
        foreach (string key in (string[])["mscale", "mscale_all_dim"])
        {
            if (Find(scaling, key) is { } value) throw new InvalidDataException($"rope_scaling.{key} is {Shown(value)}; not supported.");
        }
        if (!Flag(scaling, "truncate", true)) throw new InvalidDataException("rope_scaling.truncate is false; only true is supported.");
        // Without an original context Hugging Face takes the whole one.
        int? original = context is { } length ? IntegerValue(length, "max_position_embeddings") : null;
        return new(Number(scaling, "factor"), Integer(scaling, "original_max_position_embeddings", original))
        {
            FastTurns = Number(scaling, "beta_fast", 32),
            SlowTurns = Number(scaling, "beta_slow", 1),
            AttentionFactor = NumberOrNull(scaling, "attention_factor"),
        };
    }

    private static void CheckLayerTypes(JsonElement json, int layers)
    {
        if (Find(json, "layer_types") is not { } list) return;
        if (list.ValueKind != JsonValueKind.Array || list.GetArrayLength() != layers)
            throw new InvalidDataException($"layer_types must list {layers} values, one per layer.");
        foreach (var type in list.EnumerateArray())
        {
            if (type.ValueKind != JsonValueKind.String || !type.ValueEquals("full_attention"))
                throw new InvalidDataException($"layer_types contains {Shown(type)}; only full_attention is supported.");
        }
    }

    /// <summary>The list, in which 1 is a layer with rotary embedding and 0 one without, decides, as in HF's class; the interval is for
    /// where it is absent.</summary>
    private static int ReadNoRopeInterval(JsonElement json, int layers)
    {
        int? stated = IntegerOrNull(json, "no_rope_layer_interval");
        if (Find(json, "no_rope_layers") is not { } list) return stated ?? 4;
        if (list.ValueKind != JsonValueKind.Array || list.GetArrayLength() != layers)
            throw new InvalidDataException($"no_rope_layers must list {layers} values, one per layer.");
        bool[] rotates = [.. list.EnumerateArray().Select(Rotates)];
        int first = Array.IndexOf(rotates, false), interval = first + 1; // 0: all layers rotate
        for (int layer = 0; layer < layers; layer++)
        {
            if (rotates[layer] == (interval == 0 || (layer + 1) % interval != 0)) continue;
            throw new InvalidDataException(
                $"no_rope_layers is {(rotates[layer] ? 1 : 0)} at layer {layer}, though layer {first} is the first that is 0 "
                + "(1: rotary embedding, 0: none); other patterns than every n-th layer are not supported.");
        }
        return interval;
    }

    private static bool Rotates(JsonElement value) => value.ToString() switch
    {
        "1" or "True" => true,
        "0" or "False" => false,
        _ => throw new InvalidDataException($"no_rope_layers contains {Shown(value)}; expected 1 (rotary embedding) or 0 (none)."),
    };
}

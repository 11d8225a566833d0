using System.Text;
using System.Text.Json;
using Finery.Models.Weights;
using Finery.Tensors;
using static Finery.Models.JsonFields;

namespace Finery.Models;

public sealed partial record ModelConfig
{
    // Keys that change the forward pass in ways not implemented; present with another value they are an error, never ignored.
    private static readonly (string Key, string Only)[] OnlySupported =
    [
        ("attention_bias", "false"), ("mlp_bias", "false"), ("hidden_act", "silu"), ("use_sliding_window", "false"),
        ("rope_interleaved", "false"),
    ];

    // Constants that Finery writes into a new file but neither reads nor adds to one that does without.
    private static readonly string[] Unread = ["attention_dropout", "initializer_range", "use_cache"];

    // What no class of Hugging Face computes: a loader that does not know it must stop, not leave something out.
    private const string Own = "finery";

    private static readonly string[] CurveNames = ["tanh", "inverse_square_root"];

    private static readonly Dictionary<string, string> Families = new()
    {
        ["llama"] = "LlamaForCausalLM", ["smollm3"] = "SmolLM3ForCausalLM", ["qwen3"] = "Qwen3ForCausalLM", [Own] = "FineryForCausalLM",
    };

    // What a file said, to be kept when it is saved again.
    private JsonText? _source;
    private ModelConfig? _asRead;

    /// <summary>Parses the text of a <c>config.json</c>. Accepts <c>rope_theta</c> with <c>rope_scaling</c> or the newer nested
    /// <c>rope_parameters</c>, and one or several <c>eos_token_id</c>. Absent optional keys have the defaults of the Hugging Face
    /// class.</summary>
    /// <exception cref="InvalidDataException">Not JSON, a key is missing or has the wrong type, or something is not
    /// supported.</exception>
    public static ModelConfig Parse(ReadOnlyMemory<byte> json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            if (document.RootElement.ValueKind != JsonValueKind.Object) throw new InvalidDataException("not a JSON object.");
            var config = Read(document.RootElement);
            var errors = config.Validate();
            if (errors.Count > 0) throw new InvalidDataException(string.Join(" ", errors));
            return config with { _source = new JsonText(json.Span), _asRead = config };
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a string that is not valid Unicode.
            throw new InvalidDataException($"not valid JSON: {exception.Message}", exception);
        }
    }

    /// <summary>The text of <c>config.json</c> in Finery's own spelling, which identifies the configuration; <see cref="Save"/> keeps
    /// the spelling of a file that was read.</summary>
    /// <param name="type">How the weights beside it are stored.</param>
    public string ToJson(SafeTensorType type = SafeTensorType.F32)
    {
        using var buffer = new MemoryStream();
        // A fixed newline: the same configuration gives the same bytes on every system.
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, NewLine = "\n" }))
        {
            string family = Family;
            json.WriteStartObject();
            json.WriteStartArray("architectures");
            json.WriteStringValue(Families[family]);
            json.WriteEndArray();
            json.WriteString("model_type", family);
            json.WriteNumber("vocab_size", VocabSize);
            json.WriteNumber("hidden_size", EmbeddingSize);
            json.WriteNumber("intermediate_size", FeedForwardSize);
            json.WriteNumber("num_hidden_layers", LayerCount);
            json.WriteNumber("num_attention_heads", HeadCount);
            json.WriteNumber("num_key_value_heads", KvHeadCount);
            json.WriteNumber("head_dim", HeadSize);
            json.WriteString("hidden_act", "silu");
            json.WriteNumber("max_position_embeddings", SequenceLength);
            json.WriteNumber("rms_norm_eps", RmsNormEpsilon);
            json.WriteNumber("rope_theta", RopeTheta);
            WriteScaling(json, "rope_scaling", withTheta: false);
            if (NoRopeInterval > 0) WriteNoRopeLayers(json);
            if (family == "qwen3") WriteWindow(json);
            if (family == Own) WriteOwn(json);
            json.WriteBoolean("attention_bias", false);
            json.WriteBoolean("mlp_bias", false);
            json.WriteNumber("attention_dropout", 0.0);
            json.WriteBoolean("tie_word_embeddings", TieEmbeddings);
            Write(json, "bos_token_id", BosId);
            Write(json, "eos_token_id", EosIds);
            Write(json, "pad_token_id", PadId);
            json.WriteNumber("initializer_range", 0.02);
            json.WriteBoolean("use_cache", true);
            json.WriteString("torch_dtype", TypeNames[type]);
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(buffer.ToArray()) + "\n";
    }

    /// <summary>What <see cref="Save"/> writes: the file as read where nothing has changed, byte for byte. Otherwise changed values are
    /// replaced where they stand, in the spelling the file uses, and all else stays: order, keys not modelled, numbers as written.
    /// Keys that were absent are appended.</summary>
    private byte[] FileText(SafeTensorType? type)
    {
        type ??= StoredType ?? SafeTensorType.F32;
        if (_source is null) return Encoding.UTF8.GetBytes(ToJson(type.Value));
        string[] alternatives =
        [
            .. _source.Has("rope_parameters") ? (string[])["rope_theta", "rope_scaling"] : [],
            .. _source.Has("dtype") ? (string[])["torch_dtype"] : [],
        ];
        return _source.Merged(
            _asRead!.Spelled(StoredType ?? SafeTensorType.F32, _source), Spelled(type.Value, _source), [.. Unread, .. alternatives]);
    }

    /// <summary>Values by key, those of other spellings that a file uses among them.</summary>
    private OrderedDictionary<string, string> Spelled(SafeTensorType type, JsonText file)
    {
        var values = JsonText.Values(ToJson(type));
        if (file.Has("dtype")) values["dtype"] = values["torch_dtype"];
        if (file.Has("rope_parameters"))
        {
            values["rope_parameters"] =
                Value("rope_parameters", json => WriteScaling(json, "rope_parameters", withTheta: true));
        }
        if (file.Has("no_rope_layers")) values["no_rope_layers"] = Value("no_rope_layers", WriteNoRopeList);
        if (file.Has("layer_types"))
        {
            values["layer_types"] = Value("layer_types", json =>
            {
                json.WriteStartArray("layer_types");
                for (int layer = 0; layer < LayerCount; layer++) json.WriteStringValue("full_attention");
                json.WriteEndArray();
            });
        }
        return values;
    }

    private static string Value(string key, Action<Utf8JsonWriter> write)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, NewLine = "\n" }))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }
        return JsonText.Values(Encoding.UTF8.GetString(buffer.ToArray()))[key];
    }

    private void WriteScaling(Utf8JsonWriter json, string key, bool withTheta)
    {
        if (RopeScaling is not { } scaling)
        {
            if (!withTheta)
            {
                json.WriteNull(key);
                return;
            }
            json.WriteStartObject(key);
            json.WriteNumber("rope_theta", RopeTheta);
            json.WriteString("rope_type", "default");
            json.WriteEndObject();
            return;
        }
        json.WriteStartObject(key);
        if (withTheta) json.WriteNumber("rope_theta", RopeTheta);
        json.WriteString("rope_type", scaling is YarnScaling ? "yarn" : "llama3");
        json.WriteNumber("factor", scaling.Factor);
        if (scaling is Llama3Scaling llama)
        {
            json.WriteNumber("low_freq_factor", llama.LowFrequencyFactor);
            json.WriteNumber("high_freq_factor", llama.HighFrequencyFactor);
        }
        else if (scaling is YarnScaling yarn)
        {
            json.WriteNumber("beta_fast", yarn.FastTurns);
            json.WriteNumber("beta_slow", yarn.SlowTurns);
            if (yarn.AttentionFactor is { } factor) json.WriteNumber("attention_factor", factor);
        }
        json.WriteNumber("original_max_position_embeddings", scaling.OriginalSequenceLength);
        json.WriteEndObject();
    }

    private void WriteNoRopeLayers(Utf8JsonWriter json)
    {
        json.WriteNumber("no_rope_layer_interval", NoRopeInterval);
        WriteNoRopeList(json);
        json.WriteBoolean("use_sliding_window", false);
    }

    private void WriteNoRopeList(Utf8JsonWriter json)
    {
        json.WriteStartArray("no_rope_layers");
        for (int layer = 0; layer < LayerCount; layer++) json.WriteNumberValue(UsesRope(layer) ? 1 : 0);
        json.WriteEndArray();
    }

    private string Family =>
        AttentionSoftcap > 0 || LogitSoftcap > 0 || MaximalUpdate is not null || (QkNorm && NoRopeInterval > 0) ? Own
        : NoRopeInterval > 0 ? "smollm3"
        : QkNorm ? "qwen3" : "llama";

    private void WriteWindow(Utf8JsonWriter json)
    {
        json.WriteBoolean("use_sliding_window", false);
        json.WriteNull("sliding_window");
        json.WriteNumber("max_window_layers", LayerCount);
    }

    private void WriteOwn(Utf8JsonWriter json)
    {
        json.WriteBoolean("qk_norm", QkNorm);
        json.WriteNumber("attn_logit_softcapping", AttentionSoftcap);
        json.WriteNumber("final_logit_softcapping", LogitSoftcap);
        json.WriteString("final_logit_softcapping_curve", CurveNames[(int)LogitSoftcapCurve]);
        if (MaximalUpdate is { } update) update.Write(json, "maximal_update");
        else json.WriteNull("maximal_update");
    }

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

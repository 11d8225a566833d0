using Finery.Models.Weights;
using Finery.Tensors;
using static Finery.Models.JsonFields;

namespace Finery.Models;

/// <summary>
/// Shape of a Llama-family decoder. Reads and writes Hugging Face <c>config.json</c> (<c>LlamaForCausalLM</c>,
/// <c>SmolLM3ForCausalLM</c> for models with layers without rotary embedding, <c>Qwen3ForCausalLM</c> for those with QK-norm). What none
/// of these classes computes has <c>model_type</c> "finery", which other loaders refuse by name instead of computing something else.
/// </summary>
public sealed partial record ModelConfig
{
    /// <summary>Name of the file in a model folder.</summary>
    public const string FileName = "config.json";

    /// <summary>Longest context supported: the rotary tables have a row for each position.</summary>
    public const int MaxSequenceLength = 1 << 20;

    /// <summary>Most layers supported: what lists a value per layer stays small.</summary>
    public const int MaxLayers = 1 << 16;

    private static readonly Dictionary<SafeTensorType, string> TypeNames = new()
    {
        [SafeTensorType.F32] = "float32", [SafeTensorType.BF16] = "bfloat16", [SafeTensorType.F16] = "float16",
    };

    /// <summary><c>vocab_size</c>.</summary>
    public required int VocabSize { get; init; }

    /// <summary><c>hidden_size</c>: width of the residual stream.</summary>
    public required int EmbeddingSize { get; init; }

    /// <summary><c>num_hidden_layers</c>.</summary>
    public required int LayerCount { get; init; }

    /// <summary><c>num_attention_heads</c>: query heads.</summary>
    public required int HeadCount { get; init; }

    /// <summary><c>num_key_value_heads</c>; query head j reads key/value head <c>j / (HeadCount / KvHeadCount)</c>.</summary>
    public required int KvHeadCount { get; init; }

    /// <summary><c>head_dim</c>.</summary>
    public required int HeadSize { get; init; }

    /// <summary><c>intermediate_size</c>: width of the gated MLP.</summary>
    public required int FeedForwardSize { get; init; }

    /// <summary><c>max_position_embeddings</c>: longest context in tokens.</summary>
    public required int SequenceLength { get; init; }

    /// <summary><c>rms_norm_eps</c>.</summary>
    public float RmsNormEpsilon { get; init; } = 1e-5f;

    /// <summary><c>rope_theta</c>: base of the rotary frequencies.</summary>
    public double RopeTheta { get; init; } = 10000;

    /// <summary><c>rope_scaling</c> of type llama3 or yarn, or null.</summary>
    public RopeScaling? RopeScaling { get; init; }

    /// <summary>Every how many layers one has no rotary embedding (SmolLM3: 4); 0 for none.</summary>
    public int NoRopeInterval { get; init; }

    /// <summary>Whether queries and keys are normalised head by head, before RoPE (pretraining reference 1.4): plain Llama with it is
    /// Qwen3.</summary>
    public bool QkNorm { get; init; }

    /// <summary>c: attention scores are bounded by <c>c tanh(s / c)</c>; 0 for none. <c>attn_logit_softcapping</c>.</summary>
    public float AttentionSoftcap { get; init; }

    /// <summary>c: logits are bounded to (-c, c); 0 for none. <c>final_logit_softcapping</c>.</summary>
    public float LogitSoftcap { get; init; }

    /// <summary>How logits are bounded.</summary>
    public SoftcapCurve LogitSoftcapCurve { get; init; }

    /// <summary>Multipliers and scales that keep the best learning rate the same for all widths (muP) and depths (CompleteP); null for
    /// the standard parametrisation.</summary>
    public MaximalUpdate? MaximalUpdate { get; init; }

    /// <summary><c>tie_word_embeddings</c>: the output head is the embedding table.</summary>
    public bool TieEmbeddings { get; init; } = true;

    /// <summary><c>bos_token_id</c>.</summary>
    public int? BosId { get; init; }

    /// <summary>The first of <see cref="EosIds"/>; setting it makes it the only one.</summary>
    public int? EosId
    {
        get => EosIds.Count > 0 ? EosIds[0] : null;
        init => EosIds = value is { } id ? [id] : [];
    }

    /// <summary><c>eos_token_id</c>: tokens that end a text (one or several).</summary>
    public IReadOnlyList<int> EosIds { get; init; } = [];

    /// <summary><c>pad_token_id</c>.</summary>
    public int? PadId { get; init; }

    /// <summary><c>torch_dtype</c> or <c>dtype</c>: how the weights beside the file are stored; null where it does not say, or says
    /// something else.</summary>
    public SafeTensorType? StoredType { get; init; }

    /// <summary>Layout of a fused query/key/value row.</summary>
    public AttentionShape Attention => new(HeadCount, KvHeadCount, HeadSize)
    {
        Softcap = AttentionSoftcap, Scale = MaximalUpdate is null ? 0 : 1f / HeadSize,
    };

    /// <summary>All parameters: <c>P = V d (tied ? 1 : 2) + L (2 d H hd + 2 d KV hd + 3 d ff + 2 d) + d</c>, and
    /// <c>2 L hd</c> with QK-norm.</summary>
    public long ParameterCount => checked(
        ((long)VocabSize * EmbeddingSize * (TieEmbeddings ? 1 : 2))
        + (LayerCount * (LayerMatmulWeights + LayerGains)) + EmbeddingSize);

    /// <summary>Weights that multiply activations, <c>N_mm</c>: the head always counted, the embedding look-up not.</summary>
    public long MatmulWeights => checked(LayerCount * LayerMatmulWeights + (long)VocabSize * EmbeddingSize);

    private long LayerMatmulWeights => checked(
        (2L * EmbeddingSize * HeadCount * HeadSize) + (2L * EmbeddingSize * KvHeadCount * HeadSize)
        + (3L * EmbeddingSize * FeedForwardSize));

    private long LayerGains => (2L * EmbeddingSize) + (QkNorm ? 2L * HeadSize : 0);

    /// <summary>Floating-point operations of training one token, full convention: <c>6 N_mm + 12 L H hd S</c> (pretraining
    /// reference 1.7; causal attention counted as if full, recomputation not counted).</summary>
    /// <param name="sequenceLength">S, tokens of a row.</param>
    public double TrainingFlopsPerToken(int sequenceLength) =>
        (6.0 * MatmulWeights) + (12.0 * LayerCount * HeadCount * HeadSize * sequenceLength);

    /// <summary>Parameters by part; they add up to <see cref="ParameterCount"/>.</summary>
    public ParameterParts ParameterParts => checked(new(
        (long)VocabSize * EmbeddingSize,
        LayerCount * ((2L * EmbeddingSize * HeadCount * HeadSize) + (2L * EmbeddingSize * KvHeadCount * HeadSize)),
        LayerCount * 3L * EmbeddingSize * FeedForwardSize,
        LayerCount * LayerGains + EmbeddingSize,
        TieEmbeddings ? 0 : (long)VocabSize * EmbeddingSize));

    /// <summary>Floating-point operations of training one token, causal convention: <c>6 N_mm + 6 L H hd S</c>, the mean over the row
    /// of what each position attends to (pretraining reference 1.7).</summary>
    /// <param name="sequenceLength">S, tokens of a row.</param>
    public double CausalTrainingFlopsPerToken(int sequenceLength) =>
        (6.0 * MatmulWeights) + (6.0 * LayerCount * HeadCount * HeadSize * sequenceLength);

    /// <summary>Elements of keys and values cached for a token.</summary>
    public long CacheElementsPerToken => checked(2L * LayerCount * KvHeadCount * HeadSize);

    /// <summary>Whether a layer (0-based) rotates its queries and keys.</summary>
    public bool UsesRope(int layer) => NoRopeInterval == 0 || (layer + 1) % NoRopeInterval != 0;

    /// <summary>Everything wrong with this configuration; empty when it can be built.</summary>
    public IReadOnlyList<string> Validate()
    {
        var errors = new List<string>();
        foreach (var (name, value) in new (string, int)[]
        {
            ("vocab_size", VocabSize), ("hidden_size", EmbeddingSize), ("num_hidden_layers", LayerCount),
            ("num_attention_heads", HeadCount), ("num_key_value_heads", KvHeadCount), ("head_dim", HeadSize),
            ("intermediate_size", FeedForwardSize), ("max_position_embeddings", SequenceLength),
        })
        {
            if (value <= 0) errors.Add($"{name} is {value}; it must be positive.");
        }
        if (errors.Count > 0) return errors;

        if (HeadCount % KvHeadCount != 0)
            errors.Add($"num_attention_heads {HeadCount} is not a multiple of num_key_value_heads {KvHeadCount}.");
        if (SequenceLength > MaxSequenceLength)
            errors.Add($"max_position_embeddings {SequenceLength} is above the {MaxSequenceLength} supported.");
        if (LayerCount > MaxLayers) errors.Add($"num_hidden_layers {LayerCount} is above the {MaxLayers} supported.");
        if (HeadSize % 2 != 0) errors.Add($"head_dim {HeadSize} is odd; rotary embedding pairs its halves.");
        if (!(RmsNormEpsilon > 0 && float.IsFinite(RmsNormEpsilon)))
            errors.Add($"rms_norm_eps {RmsNormEpsilon} must be positive and finite.");
        if (!(RopeTheta > 0 && double.IsFinite(RopeTheta))) errors.Add($"rope_theta {RopeTheta} must be positive and finite.");
        if (NoRopeInterval < 0) errors.Add($"no_rope_layer_interval {NoRopeInterval} must not be negative.");
        foreach (var (name, cap) in new[] { ("attn_logit_softcapping", AttentionSoftcap), ("final_logit_softcapping", LogitSoftcap) })
        {
            if (!(cap >= 0 && float.IsFinite(cap))) errors.Add($"{name} {cap} must be finite and not negative (0: none).");
        }
        if (MaximalUpdate?.Fault is { } wrong) errors.Add("maximal_update: " + wrong);
        if (RopeScaling?.Fault is { } fault) errors.Add($"{RopeScaling}: {fault}");
        foreach (int id in EosIds.Concat(new[] { BosId, PadId }.OfType<int>()))
        {
            if (id < 0 || id >= VocabSize) errors.Add($"bos, eos or pad id {id} is outside the vocabulary of {VocabSize}.");
        }
        // Spans, which address tensors, have 32-bit lengths. Products of three 31-bit factors fit 128 bits, and 2^16 layers of
        // such matrices 64.
        Int128 width = EmbeddingSize, heads = HeadCount + (2 * (Int128)KvHeadCount);
        if (width * VocabSize > int.MaxValue || width * heads * HeadSize > int.MaxValue
            || width * 2 * FeedForwardSize > int.MaxValue)
            errors.Add("A weight matrix has more than 2^31 elements; not supported.");
        return errors;
    }

    /// <summary>Throws unless <see cref="Validate"/> finds nothing.</summary>
    /// <exception cref="ArgumentException">All errors, joined.</exception>
    public void ThrowIfInvalid()
    {
        var errors = Validate();
        if (errors.Count > 0) throw new ArgumentException("Model configuration: " + string.Join(" ", errors));
    }

    /// <summary>Reads <c>config.json</c> of a model folder.</summary>
    /// <exception cref="FileNotFoundException">There is none.</exception>
    /// <exception cref="InvalidDataException">It is not JSON, misses a key, or asks for something not supported; the message says
    /// which.</exception>
    public static ModelConfig Load(string folder)
    {
        string path = Path.Combine(folder, FileName);
        if (!File.Exists(path)) throw new FileNotFoundException($"No {FileName} in '{folder}': not a model folder.", path);
        try
        {
            return Parse(SmallFile.Read(path, MaxFileBytes));
        }
        catch (InvalidDataException exception)
        {
            throw new InvalidDataException($"{path}: {exception.Message}", exception);
        }
    }

    /// <summary>Writes <c>config.json</c> into a model folder, atomically. One that was read keeps its keys, those not modelled here
    /// included, their order and spelling; unchanged, it keeps every byte.</summary>
    /// <param name="folder">Created if absent.</param>
    /// <param name="type">How the weights beside it are stored; null for <see cref="StoredType"/>, or F32.</param>
    public void Save(string folder, SafeTensorType? type = null)
    {
        Directory.CreateDirectory(folder);
        AtomicFile.Write(Path.Combine(folder, FileName), stream => stream.Write(FileText(type)));
    }

    /// <summary>Two configurations are equal when they describe the same model, however their files spell it.</summary>
    public bool Equals(ModelConfig? other) => other is not null && ToJson() == other.ToJson();

    /// <inheritdoc/>
    public override int GetHashCode() =>
        HashCode.Combine(VocabSize, EmbeddingSize, LayerCount, HeadCount, KvHeadCount, HeadSize, FeedForwardSize, SequenceLength);
}

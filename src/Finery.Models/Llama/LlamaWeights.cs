using Finery.Models.Layers;
using Finery.Models.Weights;
using Finery.Tensors;

namespace Finery.Models.Llama;

/// <summary>Weights of one decoder layer.</summary>
/// <param name="InputNorm">[D].</param>
/// <param name="Qkv">[(H + 2 KV) HS, D]: queries, then keys, then values.</param>
/// <param name="Output">[D, H HS].</param>
/// <param name="QueryNorm">[HS]; null without QK-norm.</param>
/// <param name="KeyNorm">[HS]; null without QK-norm.</param>
/// <param name="PostNorm">[D].</param>
/// <param name="GateUp">[2 F, D]: gate, then up.</param>
/// <param name="Down">[D, F].</param>
internal sealed record LlamaLayer(
    Tensor InputNorm, Tensor Qkv, Tensor Output, Tensor? QueryNorm, Tensor? KeyNorm, Tensor PostNorm, Tensor GateUp, Tensor Down);

/// <summary>All weights of a Llama model and their names in a Hugging Face checkpoint, where fused tensors are
/// row slices.</summary>
internal sealed class LlamaWeights : LlamaTensors
{
    /// <param name="arena">Holds weights and gradients.</param>
    /// <param name="config">Shape.</param>
    /// <param name="trainable">Whether there are gradients.</param>
    /// <param name="type">Of the matrices; norm gains and gradients are F32 always.</param>
    public LlamaWeights(Arena arena, ModelConfig config, bool trainable, DType type) : base(arena, trainable, type)
    {
        int D = config.EmbeddingSize;
        Embedding = Whole("model.embed_tokens.weight", decays: false, config.VocabSize, D);
        Layers = new LlamaLayer[config.LayerCount];
        for (int i = 0; i < Layers.Length; i++) Layers[i] = Layer(config, $"model.layers.{i}.");
        Norm = Whole("model.norm.weight", decays: false, D);
        Head = config.TieEmbeddings ? Embedding : Whole("lm_head.weight", decays: true, config.VocabSize, D);
    }

    /// <summary>[V, D].</summary>
    public Tensor Embedding { get; }

    public LlamaLayer[] Layers { get; }

    /// <summary>[D].</summary>
    public Tensor Norm { get; }

    /// <summary>[V, D]; the embedding table itself when tied.</summary>
    public Tensor Head { get; }
}

/// <summary>Allocates weights of the kinds that a Llama model is made of.</summary>
internal abstract class LlamaTensors
{
    private readonly List<Parameter> _parameters = [];
    private readonly List<NamedTensor> _named = [];
    private readonly Arena _arena;
    private readonly bool _trainable;
    private readonly DType _type;

    /// <param name="arena">Holds weights and gradients.</param>
    /// <param name="trainable">Whether there are gradients.</param>
    /// <param name="type">Of the matrices; norm gains and gradients are F32 always.</param>
    protected LlamaTensors(Arena arena, bool trainable, DType type) => (_arena, _trainable, _type) = (arena, trainable, type);

    public IReadOnlyList<Parameter> Parameters => _parameters;

    /// <summary>Every checkpoint tensor by its Hugging Face name, in model order.</summary>
    public IReadOnlyList<NamedTensor> Named => _named;

    public void Initialize(ulong seed, ModelConfig config, Initialization initialization)
    {
        foreach (var (name, tensor) in _named) initialization.Of(name, config).Fill(tensor, seed, name);
    }

    protected LlamaLayer Layer(ModelConfig config, string layer)
    {
        int D = config.EmbeddingSize, F = config.FeedForwardSize;
        int q = config.HeadCount * config.HeadSize, kv = config.KvHeadCount * config.HeadSize;
        var inputNorm = Whole(layer + "input_layernorm.weight", decays: false, D);
        var qkv = Fused(layer + "self_attn.", "qkv_proj", D, ("q_proj", q), ("k_proj", kv), ("v_proj", kv));
        var output = Projection(layer + "self_attn.o_proj.weight", D, q);
        var queryNorm = config.QkNorm ? Whole(layer + "self_attn.q_norm.weight", decays: false, config.HeadSize) : null;
        var keyNorm = config.QkNorm ? Whole(layer + "self_attn.k_norm.weight", decays: false, config.HeadSize) : null;
        var postNorm = Whole(layer + "post_attention_layernorm.weight", decays: false, D);
        var gateUp = Fused(layer + "mlp.", "gate_up_proj", D, ("gate_proj", F), ("up_proj", F));
        var down = Projection(layer + "mlp.down_proj.weight", D, F);
        return new LlamaLayer(inputNorm, qkv, output, queryNorm, keyNorm, postNorm, gateUp, down);
    }

    protected Tensor Whole(string name, bool decays, params ReadOnlySpan<int> shape)
    {
        var tensor = Allocate(name, decays, [], shape);
        _named.Add(new(name, tensor));
        return tensor;
    }

    protected Tensor Projection(string name, int rows, int columns)
    {
        var tensor = Allocate(name, decays: true, [rows], rows, columns);
        _named.Add(new(name, tensor));
        return tensor;
    }

    private Tensor Fused(string prefix, string name, int columns, params ReadOnlySpan<(string Name, int Rows)> parts)
    {
        var matrices = new List<int>();
        foreach (var part in parts) matrices.Add(part.Rows);
        var tensor = Allocate($"{prefix}{name}.weight", decays: true, matrices, matrices.Sum(), columns);
        int row = 0;
        foreach (var (part, count) in parts)
        {
            string full = $"{prefix}{part}.weight";
            _named.Add(new(full, tensor.Slice(row, count, full)));
            row += count;
        }
        return tensor;
    }

    private Tensor Allocate(string name, bool decays, IReadOnlyList<int> matrices, params ReadOnlySpan<int> shape)
    {
        var tensor = shape.Length == 1 ? _arena.Floats(name, shape) : _arena.Allocate(name, _type, shape);
        if (_trainable) tensor.Gradient = _arena.Floats("d" + name, shape);
        _parameters.Add(new(name, tensor, decays) { Matrices = matrices });
        return tensor;
    }
}

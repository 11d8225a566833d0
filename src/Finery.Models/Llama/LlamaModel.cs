using Finery.Models.Layers;
using Finery.Models.Weights;
using Finery.Tensors;

namespace Finery.Models.Llama;

/// <summary>
/// A Llama-family decoder (pretraining reference 1.2). The forward pass is written once, recorded on a <see cref="Tape"/>, and
/// serves training, scoring and cached generation alike.
/// </summary>
public sealed partial class LlamaModel : IDisposable
{
    private readonly Arena _arena;
    private readonly LlamaWeights _weights;
    private readonly RopeTable _rope;

    /// <summary>A model with initial weights, a pure function of <paramref name="config"/> and <paramref name="seed"/>.</summary>
    /// <param name="config">Shape.</param>
    /// <param name="seed">Of the initial weights.</param>
    /// <param name="trainable">Whether parameters have gradients, in F32 always.</param>
    /// <param name="weightType">F32, or BF16 for the matrices: norm gains stay F32.</param>
    /// <exception cref="ArgumentException">The configuration is invalid; the message lists every error.</exception>
    public LlamaModel(ModelConfig config, ulong seed, bool trainable, DType weightType = DType.F32)
        : this(config, trainable, weightType, new Arena("model")) => _weights.Initialize(seed, config.LayerCount);

    private LlamaModel(ModelConfig config, bool trainable, DType weightType, Arena arena)
    {
        config.ThrowIfInvalid();
        if (weightType is not (DType.F32 or DType.BF16))
            throw new ArgumentException($"Weights cannot be {weightType}; expected F32 or BF16.", nameof(weightType));
        (Config, WeightType, _arena) = (config, weightType, arena);
        try
        {
            _weights = new LlamaWeights(_arena, config, trainable, weightType);
            _rope = new RopeTable(_arena, config, config.SequenceLength);
        }
        catch
        {
            _arena.Dispose();
            throw;
        }
    }

    /// <summary>A model without memory, to be recorded and measured but not run.</summary>
    /// <param name="config">Shape.</param>
    /// <param name="trainable">Whether parameters have gradients.</param>
    /// <param name="weightType">F32, or BF16 for the matrices.</param>
    /// <exception cref="ArgumentException">The configuration is invalid; the message lists every error.</exception>
    public static LlamaModel Outline(ModelConfig config, bool trainable, DType weightType = DType.F32) =>
        new(config, trainable, weightType, Arena.Outline("model"));

    /// <summary>Shape of the model.</summary>
    public ModelConfig Config { get; }

    /// <summary>Bytes of weights, their gradients where trainable, and tables.</summary>
    public long Bytes => _arena.Bytes;

    /// <summary>Type of the matrices.</summary>
    public DType WeightType { get; }

    /// <summary>How its makers would have it sampled, and the tokens that end a text: <c>generation_config.json</c>, saved with the
    /// weights; null where there is none.</summary>
    public GenerationConfig? Generation { get; set; }

    /// <summary>Tokens that end a text, by either configuration.</summary>
    public IReadOnlyList<int> StopIds => [.. Config.EosIds.Union(Generation?.EosIds ?? [])];

    /// <summary>Trainable tensors, in a fixed order.</summary>
    public IReadOnlyList<Parameter> Parameters => _weights.Parameters;

    /// <summary>Weights by their Hugging Face names; fused projections appear as row slices.</summary>
    public IReadOnlyList<NamedTensor> NamedWeights => _weights.Named;

    /// <summary>Loads a Hugging Face folder: <c>config.json</c>, <c>generation_config.json</c> where there is one, and safetensors,
    /// whole or sharded. F32, BF16 and F16 weights may be mixed. Widening is exact: saved again in the type it came in, every tensor has
    /// its old bytes.</summary>
    /// <param name="folder">The model folder.</param>
    /// <param name="trainable">Whether parameters have gradients.</param>
    /// <param name="weightType">F32, or BF16, to which wider weights are rounded.</param>
    /// <exception cref="FileNotFoundException">Configuration or weights are absent.</exception>
    /// <exception cref="InvalidDataException">A file is corrupt, a tensor is missing, unknown or has another shape.</exception>
    public static LlamaModel Load(string folder, bool trainable, DType weightType = DType.F32)
    {
        var config = ModelConfig.Load(folder);
        var generation = GenerationConfig.Load(folder);
        using var checkpoint = SafeTensorsFolder.Open(folder);
        // The shapes are checked before anything is allocated: a hostile config.json costs nothing.
        LlamaCheckpoint.Check(config, checkpoint, folder);
        var model = new LlamaModel(config, trainable, weightType, new Arena("model")) { Generation = generation };
        try
        {
            checkpoint.Read(model._weights.Named);
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Writes <c>config.json</c> and <c>model.safetensors</c> (or shards), each atomically and every weight to the bit.</summary>
    /// <param name="folder">Created if absent.</param>
    /// <param name="metadata">Added to the safetensors metadata.</param>
    public void Save(string folder, IReadOnlyDictionary<string, string>? metadata = null) =>
        Save(folder, type: null, metadata);

    /// <summary>Writes <c>config.json</c> and <c>model.safetensors</c> (or shards), each atomically.</summary>
    /// <param name="folder">Created if absent.</param>
    /// <param name="type">BF16 and F16 round to nearest even; null keeps each weight as it is.</param>
    /// <param name="metadata">Added to the safetensors metadata.</param>
    /// <param name="maxShardBytes">Most bytes of weights in a file before they are split into shards with an index.</param>
    public void Save(
        string folder, SafeTensorType? type, IReadOnlyDictionary<string, string>? metadata = null,
        long maxShardBytes = SafeTensorsFolder.DefaultShardBytes)
    {
        Directory.CreateDirectory(folder);
        var all = new SortedDictionary<string, string>(StringComparer.Ordinal) { ["format"] = "pt" };
        foreach (var (key, value) in metadata ?? new Dictionary<string, string>()) all[key] = value;
        SafeTensorsFolder.Write(folder, [.. _weights.Named.Select(weight => TensorSource.Of(weight, type))], all, maxShardBytes);
        Config.Save(folder, type ?? (WeightType == DType.BF16 ? SafeTensorType.BF16 : SafeTensorType.F32));
        Generation?.Save(folder);
    }

    /// <summary>Records the forward pass up to the final norm.</summary>
    /// <param name="tape">Records it.</param>
    /// <param name="inputs">N tokens.</param>
    /// <param name="cache">Where given, the tokens continue the cached sequence (inference tapes only) and <c>Starts</c> is
    /// unused.</param>
    /// <returns>[N, D].</returns>
    public Tensor Hidden(Tape tape, ModelInputs inputs, KeyValueCache? cache = null)
    {
        var stream = Stream(tape, inputs, _weights.Layers.Length, cache: cache);
        tape.Segment();
        return FinalNorm(tape, stream);
    }

    /// <summary>Records one decoder layer; returns the residual stream after it.</summary>
    internal Tensor Layer(Tape tape, Tensor stream, LlamaLayer layer, int index, ModelInputs inputs, KeyValueCache? cache)
    {
        var attention = Config.Attention;
        (stream, var a) = tape.RmsNorm(stream, null, layer.InputNorm, Config.RmsNormEpsilon);
        var qkv = tape.Linear(a, layer.Qkv);
        if (Config.UsesRope(index)) tape.Rope(qkv, inputs.Positions, _rope.Cos, _rope.Sin, attention);
        var mixed = cache is null
            ? tape.Attention(qkv, inputs.Starts, attention)
            : tape.CachedAttention(qkv, cache, index, attention);
        stream = tape.AddLinear(stream, mixed, layer.Output);
        (stream, var b) = tape.RmsNorm(stream, null, layer.PostNorm, Config.RmsNormEpsilon);
        return tape.AddLinear(stream, tape.SwiGlu(tape.Linear(b, layer.GateUp)), layer.Down);
    }

    /// <summary>Records the forward pass and the cross-entropy of every token.</summary>
    /// <param name="tape">Records it.</param>
    /// <param name="inputs">N tokens.</param>
    /// <param name="targets">I32 [N]; -1 for a token without loss.</param>
    /// <param name="tokenWeights">[N]: dLoss/dloss[i].</param>
    /// <param name="weightsKnown">Whether <paramref name="tokenWeights"/> is filled before the forward pass (see
    /// <see cref="Tape.LinearCrossEntropy"/>).</param>
    /// <returns>[N] losses in nats.</returns>
    public Tensor Losses(Tape tape, ModelInputs inputs, Tensor targets, Tensor tokenWeights, bool weightsKnown) =>
        Losses(tape, Hidden(tape, inputs), targets, tokenWeights, weightsKnown);

    /// <summary>Records the cross-entropy of every token from what <see cref="Hidden"/> gave.</summary>
    /// <param name="tape">Records it.</param>
    /// <param name="hidden">[N, D].</param>
    /// <param name="targets">I32 [N]; -1 for a token without loss.</param>
    /// <param name="tokenWeights">[N]: dLoss/dloss[i].</param>
    /// <param name="weightsKnown">Whether <paramref name="tokenWeights"/> is filled before the forward pass.</param>
    /// <returns>[N] losses in nats.</returns>
    public Tensor Losses(Tape tape, Tensor hidden, Tensor targets, Tensor tokenWeights, bool weightsKnown) =>
        tape.LinearCrossEntropy(hidden, _weights.Head, targets, tokenWeights, weightsKnown);

    /// <summary>Records the output head.</summary>
    /// <param name="tape">Records it.</param>
    /// <param name="hidden">[n, D] from <see cref="Hidden"/>.</param>
    /// <returns>[n, V].</returns>
    public Tensor Logits(Tape tape, Tensor hidden) => tape.Linear(hidden, _weights.Head);

    /// <summary>Copies the weights of a model of the same shape, rounding to nearest even where these are narrower.</summary>
    /// <exception cref="ArgumentException">The shapes differ.</exception>
    public void CopyWeightsFrom(LlamaModel other)
    {
        if (other.Parameters.Count != Parameters.Count)
            throw new ArgumentException("The models have different shapes.", nameof(other));
        foreach (var (mine, theirs) in Parameters.Zip(other.Parameters))
        {
            if (mine.Name != theirs.Name || !mine.Weight.Shape.SequenceEqual(theirs.Weight.Shape))
                throw new ArgumentException(
                    $"The models have different shapes: {mine.Weight} and {theirs.Weight}.", nameof(other));
        }
        foreach (var (mine, theirs) in Parameters.Zip(other.Parameters)) Copy(theirs.Weight, mine.Weight);
    }

    private static void Copy(Tensor source, Tensor destination)
    {
        if (source.Type == destination.Type)
            source.Bytes.CopyTo(destination.Bytes);
        else if (source.Type == DType.BF16)
            for (int i = 0; i < source.Length; i++) destination.Floats[i] = (float)source.BFloat16s[i];
        else
            for (int i = 0; i < source.Length; i++) destination.BFloat16s[i] = (BFloat16)source.Floats[i];
    }

    /// <summary>Frees all weights.</summary>
    public void Dispose() => _arena.Dispose();
}

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
    private RopeTable _rope;

    /// <summary>A model with initial weights, a pure function of <paramref name="config"/> and <paramref name="seed"/>.</summary>
    /// <param name="config">Shape.</param>
    /// <param name="seed">Of the initial weights.</param>
    /// <param name="trainable">Whether parameters have gradients, in F32 always.</param>
    /// <param name="weightType">F32, or BF16 for the matrices: norm gains stay F32.</param>
    /// <param name="initialization">How weights are drawn; null for the default of <see cref="Initialization"/>.</param>
    /// <exception cref="ArgumentException">The configuration is invalid; the message lists every error.</exception>
    public LlamaModel(
        ModelConfig config, ulong seed, bool trainable, DType weightType = DType.F32, Initialization? initialization = null)
        : this(Checked(config, initialization ??= new()), trainable, weightType, new Arena("model")) =>
        _weights.Initialize(seed, config, initialization);

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
    public ModelConfig Config { get; private set; }

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
    /// <param name="streams">Where given, receives the residual stream [N, D] after the embedding and after each layer, which can then be
    /// read after a replay (tapes with gradients only; others overwrite it).</param>
    /// <returns>[N, D], what the output head reads.</returns>
    public Tensor Hidden(Tape tape, ModelInputs inputs, KeyValueCache? cache = null, ICollection<Tensor>? streams = null)
    {
        var stream = Stream(
            tape, inputs, _weights.Layers.Length, streams is null ? null : (_, end) => streams.Add(tape.Keep(end)), cache);
        tape.Segment();
        return FinalNorm(tape, stream);
    }

    /// <summary>Records one decoder layer; returns the residual stream after it.</summary>
    internal Tensor Layer(
        Tape tape, Tensor stream, LlamaLayer layer, int index, ModelInputs inputs, KeyValueCache? cache, Action<int, Tensor>? attended = null)
    {
        var attention = Config.Attention;
        (stream, var a) = tape.RmsNorm(stream, null, layer.InputNorm, Config.RmsNormEpsilon);
        var qkv = tape.Linear(a, layer.Qkv);
        if (layer is { QueryNorm: { } queryNorm, KeyNorm: { } keyNorm })
            tape.QkNorm(qkv, queryNorm, keyNorm, Config.RmsNormEpsilon, attention);
        if (Config.UsesRope(index)) tape.Rope(qkv, inputs.Positions, _rope.Cos, _rope.Sin, attention);
        attended?.Invoke(index + 1, qkv);
        var mixed = cache is null
            ? tape.Attention(qkv, inputs.Starts, attention)
            : tape.CachedAttention(qkv, cache, index, attention);
        stream = AddBranch(tape, stream, mixed, layer.Output);
        (stream, var b) = tape.RmsNorm(stream, null, layer.PostNorm, Config.RmsNormEpsilon);
        return AddBranch(tape, stream, tape.SwiGlu(tape.Linear(b, layer.GateUp)), layer.Down);
    }

    // A factor of one records nothing: the standard parametrisation keeps its bits.
    private static Tensor Scaled(Tape tape, Tensor x, float factor) => factor == 1 ? x : tape.Scale(x, factor);

    private Tensor AddBranch(Tape tape, Tensor stream, Tensor x, Tensor weight)
    {
        float factor = MaximalUpdate.BranchFactor(Config);
        return factor == 1 ? tape.AddLinear(stream, x, weight) : tape.AddScaled(stream, tape.Linear(x, weight), factor);
    }

    /// <summary>What the output head adds to cross-entropy: the softcap of the model and the given z-loss.</summary>
    /// <param name="zLoss">lambda of <c>lambda logsumexp^2</c>; 0 for none.</param>
    public CrossEntropyOptions HeadOptions(float zLoss = 0) => new(zLoss, Config.LogitSoftcap, Config.LogitSoftcapCurve);

    /// <summary>Records the forward pass and the cross-entropy of every token.</summary>
    /// <param name="tape">Records it.</param>
    /// <param name="inputs">N tokens.</param>
    /// <param name="targets">I32 [N]; -1 for a token without loss.</param>
    /// <param name="tokenWeights">[N]: dLoss/dloss[i].</param>
    /// <param name="weightsKnown">Whether <paramref name="tokenWeights"/> is filled before the forward pass (see
    /// <see cref="Tape.LinearCrossEntropy"/>).</param>
    /// <param name="zLoss">lambda of the z-loss that is part of the losses; 0 for none.</param>
    /// <param name="logSumExp">[N]: receives the log-sum-exp of every row's logits, where given: <c>loss - lambda logSumExp^2</c> is the
    /// cross-entropy.</param>
    /// <returns>[N] losses in nats.</returns>
    public Tensor Losses(
        Tape tape, ModelInputs inputs, Tensor targets, Tensor tokenWeights, bool weightsKnown, float zLoss = 0,
        Tensor? logSumExp = null) => Losses(tape, Hidden(tape, inputs), targets, tokenWeights, weightsKnown, zLoss, logSumExp);

    /// <summary>Records the cross-entropy of every token from what <see cref="Hidden"/> gave.</summary>
    /// <param name="tape">Records it.</param>
    /// <param name="hidden">[N, D].</param>
    /// <param name="targets">I32 [N]; -1 for a token without loss.</param>
    /// <param name="tokenWeights">[N]: dLoss/dloss[i].</param>
    /// <param name="weightsKnown">As for a whole forward pass.</param>
    /// <param name="zLoss">lambda of the z-loss.</param>
    /// <param name="logSumExp">[N]: receives the log-sum-exp of every row's logits, where given.</param>
    /// <returns>[N] losses in nats.</returns>
    public Tensor Losses(
        Tape tape, Tensor hidden, Tensor targets, Tensor tokenWeights, bool weightsKnown, float zLoss = 0, Tensor? logSumExp = null) =>
        tape.LinearCrossEntropy(hidden, _weights.Head, targets, tokenWeights, weightsKnown, HeadOptions(zLoss), logSumExp);

    /// <summary>Records the output head.</summary>
    /// <param name="tape">Records it.</param>
    /// <param name="hidden">[n, D] from <see cref="Hidden"/>.</param>
    /// <returns>[n, V].</returns>
    /// <exception cref="InvalidOperationException">The logits are bounded and the tape records gradients: losses bound them
    /// themselves.</exception>
    public Tensor Logits(Tape tape, Tensor hidden)
    {
        var logits = tape.Linear(hidden, _weights.Head);
        if (Config.LogitSoftcap > 0) tape.Softcap(logits, Config.LogitSoftcap, Config.LogitSoftcapCurve);
        return logits;
    }

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

    private static ModelConfig Checked(ModelConfig config, Initialization initialization)
    {
        string[] errors = [.. config.Validate(), .. initialization.Faults(config)];
        return errors.Length == 0 ? config : throw new ArgumentException("Model configuration: " + string.Join(" ", errors));
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

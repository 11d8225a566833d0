using Finery.Models.Layers;
using Finery.Models.Weights;
using Finery.Tensors;

namespace Finery.Models.Llama;

/// <summary>
/// Trainable parts beside a model that are no part of its folder: decoder layers of its shape, norms and projections, of its types and
/// initialised as its own. Objectives add them, optimizers see their parameters, and a file of its own keeps them.
/// </summary>
/// <param name="model">Whose shape and types they have.</param>
public sealed class LlamaModules(LlamaModel model) : IDisposable
{
    private readonly Arena _arena = model.CreateArena("modules");
    private readonly List<LlamaLayer> _layers = [];
    private Weights? _weights;

    /// <summary>Trainable tensors in the order they were added.</summary>
    public IReadOnlyList<Parameter> Parameters => All.Parameters;

    /// <summary>Weights by their names; fused projections appear as row slices.</summary>
    public IReadOnlyList<NamedTensor> NamedWeights => All.Named;

    /// <summary>Bytes of weights and their gradients.</summary>
    public long Bytes => _arena.Bytes;

    private Weights All => _weights ??= new(_arena, model.WeightType);

    /// <summary>Adds a decoder layer.</summary>
    /// <param name="prefix">Of the names of its weights, such as <c>model.layers.30.</c></param>
    /// <returns>Its number, for <see cref="Layer"/>.</returns>
    public int AddLayer(string prefix)
    {
        _layers.Add(All.AddLayer(model.Config, prefix));
        return _layers.Count - 1;
    }

    /// <summary>Adds the gain of a norm.</summary>
    /// <returns>F32 [size].</returns>
    public Tensor AddNorm(string name, int size) => All.AddNorm(name, size);

    /// <summary>Adds a projection.</summary>
    /// <returns>[rows, columns].</returns>
    public Tensor AddProjection(string name, int rows, int columns) => All.AddProjection(name, rows, columns);

    /// <summary>Gives all weights initial values, a pure function of their names, shapes and <paramref name="seed"/>.</summary>
    /// <param name="seed">Of the values.</param>
    /// <param name="initialization">How they are drawn; null for the default of a model.</param>
    public void Initialize(ulong seed, Initialization? initialization = null)
    {
        if (!_arena.IsOutline) All.Initialize(seed, model.Config, initialization ?? new());
    }

    /// <summary>Records a decoder layer.</summary>
    /// <param name="tape">Records it.</param>
    /// <param name="stream">[N, D].</param>
    /// <param name="layer">Its number.</param>
    /// <param name="depth">Its place, counted from 0 on from the model's own: it decides whether there is a rotary embedding.</param>
    /// <param name="inputs">Positions and documents.</param>
    /// <returns>[N, D]: the residual stream after it.</returns>
    public Tensor Layer(Tape tape, Tensor stream, int layer, int depth, ModelInputs inputs) =>
        model.Layer(tape, stream, _layers[layer], depth, inputs, cache: null);

    /// <summary>Writes all weights to one safetensors file, atomically and to the bit.</summary>
    public void Save(string path, IReadOnlyDictionary<string, string>? metadata = null) =>
        SafeTensorsWriter.Write(path, NamedWeights, type: null, metadata);

    /// <summary>Reads what <see cref="Save"/> wrote, whatever the type it is stored in.</summary>
    /// <exception cref="InvalidDataException">The file is corrupt, or its tensors are not these.</exception>
    public void Load(string path)
    {
        using var file = SafeTensorsFile.Open(path);
        string[] differing =
        [
            .. NamedWeights.Where(weight => !file.Entries.TryGetValue(weight.Name, out var entry)
                || !entry.Shape.SequenceEqual(weight.Tensor.Shape.ToArray().Select(size => (long)size))).Select(weight => weight.Name),
            .. file.Entries.Keys.Except(NamedWeights.Select(weight => weight.Name)),
        ];
        if (differing.Length > 0)
        {
            throw new InvalidDataException(
                $"{path} is of other modules: {differing[0]} is missing, unknown or of another shape ({differing.Length} in all).");
        }
        foreach (var (name, tensor) in NamedWeights) file.Read(name, tensor);
    }

    /// <summary>Frees all weights.</summary>
    public void Dispose() => _arena.Dispose();

    private sealed class Weights(Arena arena, DType type) : LlamaTensors(arena, trainable: true, type)
    {
        public LlamaLayer AddLayer(ModelConfig config, string prefix) => Layer(config, prefix);

        public Tensor AddNorm(string name, int size) => Whole(name, decays: false, size);

        public Tensor AddProjection(string name, int rows, int columns) => Projection(name, rows, columns);
    }
}

using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Finery.Models;
using Finery.Models.Llama;
using Finery.Models.Weights;
using Finery.Tensors;

namespace Finery.Training.Averaging;

/// <summary>A model folder and its share.</summary>
/// <param name="Folder">Hugging Face folder: <c>config.json</c> and safetensors.</param>
/// <param name="Weight">Its share of the average.</param>
public sealed record WeightedModel(string Folder, double Weight);

/// <summary>
/// The weighted mean of model folders (pretraining reference 3): checkpoints of one run, or a soup of several. Each element is summed in the
/// order of the models, rounded to F32 and then cast once to the stored type. Tensors are read and written one after another in pieces, so
/// that memory does not grow with the model.
/// </summary>
public static class CheckpointAverage
{
    private const int Piece = 1 << 16;

    // Weights written as decimals add up to one but for rounding.
    private const double SumTolerance = 1e-6;

    // What two models may differ in and still be points of one space.
    private static readonly HashSet<string> FreeKeys = new(StringComparer.Ordinal)
    {
        "bos_token_id", "eos_token_id", "pad_token_id", "max_position_embeddings", "dtype", "torch_dtype",
    };

    /// <summary>Equal shares.</summary>
    public static IReadOnlyList<WeightedModel> Uniform(IReadOnlyList<string> folders) =>
        [.. folders.Select(folder => new WeightedModel(folder, 1.0 / folders.Count))];

    /// <summary>Writes <c>config.json</c>, <c>generation_config.json</c> where there is one, and the averaged weights.</summary>
    /// <param name="models">At least one; weights sum to 1. Configuration and types are those of the first.</param>
    /// <param name="folder">Created if absent; none of the models'.</param>
    /// <param name="type">How weights are stored; null keeps the type each tensor has in the first model.</param>
    /// <param name="metadata">Added to the safetensors metadata.</param>
    /// <param name="cancellation">Checked between tensors.</param>
    /// <exception cref="ArgumentException">The weights are impossible, or the models differ in shape or vocabulary; the message lists
    /// every fault.</exception>
    /// <exception cref="InvalidDataException">A folder is no whole model.</exception>
    public static void Merge(
        IReadOnlyList<WeightedModel> models, string folder, SafeTensorType? type = null,
        IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellation = default)
    {
        string[] faults = [.. Faults(models, folder)];
        if (faults.Length > 0) throw new ArgumentException("Averaging: " + string.Join(" ", faults), nameof(models));
        ModelConfig[] configs = [.. models.Select(model => ModelConfig.Load(model.Folder))];
        faults = [.. configs.Skip(1).SelectMany((config, i) => Differences(configs[0], config).Select(difference =>
            $"{models[i + 1].Folder} differs from {models[0].Folder}: {difference}."))];
        if (faults.Length > 0) throw new ArgumentException("Averaging: " + string.Join(" ", faults), nameof(models));

        var opened = new List<SafeTensorsFolder>();
        try
        {
            foreach (var (model, config) in models.Zip(configs))
            {
                opened.Add(SafeTensorsFolder.Open(model.Folder));
                LlamaCheckpoint.Check(config, opened[^1], model.Folder);
            }
            double[] weights = [.. models.Select(model => model.Weight)];
            var tensors = LlamaCheckpoint.Tensors(configs[0])
                .Select(tensor => Averaged(tensor.Name, opened, weights, type, cancellation)).ToList();
            Directory.CreateDirectory(folder);
            SafeTensorsFolder.Write(folder, tensors, metadata);
            configs[0].Save(folder, type ?? configs[0].StoredType ?? SafeTensorType.F32);
            GenerationConfig.Load(models[0].Folder)?.Save(folder);
        }
        finally
        {
            foreach (var one in opened) one.Dispose();
        }
    }

    private static IEnumerable<string> Faults(IReadOnlyList<WeightedModel> models, string folder)
    {
        if (models.Count == 0) yield return "there is no model.";
        foreach (var model in models)
        {
            if (!(model.Weight >= 0) || !double.IsFinite(model.Weight))
                yield return $"{model.Folder} has weight {model.Weight}; it must not be negative.";
            if (!File.Exists(Path.Combine(model.Folder, ModelConfig.FileName)) || !SafeTensorsFolder.IsIn(model.Folder))
                yield return $"{model.Folder} is no model folder: it needs {ModelConfig.FileName} and safetensors.";
            if (Path.GetFullPath(model.Folder) == Path.GetFullPath(folder))
                yield return $"{folder} is one of the models and would be overwritten; write elsewhere.";
        }
        double sum = models.Sum(model => model.Weight);
        if (models.Count > 0 && Math.Abs(sum - 1) > SumTolerance) yield return $"the weights sum to {sum}; they must sum to 1.";
    }

    /// <summary>What keeps two configurations from being averaged, key by key.</summary>
    private static IEnumerable<string> Differences(ModelConfig first, ModelConfig other)
    {
        var (mine, theirs) = (JsonNode.Parse(first.ToJson())!.AsObject(), JsonNode.Parse(other.ToJson())!.AsObject());
        foreach (string key in mine.Select(entry => entry.Key).Union(theirs.Select(entry => entry.Key)).Where(key => !FreeKeys.Contains(key)))
        {
            if (!JsonNode.DeepEquals(mine[key], theirs[key]))
                yield return $"{key} is {theirs[key]?.ToJsonString() ?? "absent"}, not {mine[key]?.ToJsonString() ?? "absent"}";
        }
    }

    private static TensorSource Averaged(
        string name, IReadOnlyList<SafeTensorsFolder> models, double[] weights, SafeTensorType? type, CancellationToken cancellation)
    {
        string stored = type?.ToString() ?? models[0].Source(name).Type;
        return new(name, stored, models[0].Shape(name), stream =>
        {
            cancellation.ThrowIfCancellationRequested();
            long length = models[0].Shape(name).Aggregate(1L, (product, size) => product * size);
            (MappedBytes Bytes, string Type)[] inputs = [.. models.Select(model => (model.Map(name), model.Source(name).Type))];
            var sums = new double[(int)Math.Min(Piece, length)];
            var values = new float[sums.Length];
            for (long start = 0; start < length; start += Piece)
            {
                int count = (int)Math.Min(Piece, length - start);
                sums.AsSpan(0, count).Clear();
                for (int i = 0; i < inputs.Length; i++)
                {
                    Read(inputs[i].Bytes, inputs[i].Type, start, values.AsSpan(0, count));
                    for (int j = 0; j < count; j++) sums[j] += weights[i] * values[j];
                }
                for (int j = 0; j < count; j++) values[j] = (float)sums[j];
                Write(stream, values.AsSpan(0, count), stored);
            }
        });
    }

    private static void Read(MappedBytes bytes, string type, long start, Span<float> values)
    {
        switch (type)
        {
            case "F32": bytes.Slice(start * sizeof(float), values.Length * sizeof(float)).CopyTo(MemoryMarshal.AsBytes(values)); break;
            case "BF16": StoredFloats.WidenBFloat16(bytes.Slice(start * sizeof(ushort), values.Length * sizeof(ushort)), values); break;
            case "F16": StoredFloats.WidenHalf(bytes.Slice(start * sizeof(ushort), values.Length * sizeof(ushort)), values); break;
            default: throw new InvalidDataException($"weights of type {type} cannot be averaged; expected F32, BF16 or F16.");
        }
    }

    private static void Write(Stream stream, ReadOnlySpan<float> values, string type)
    {
        switch (type)
        {
            case "BF16":
                var narrow = new BFloat16[values.Length];
                StoredFloats.Round(values, narrow);
                stream.Write(MemoryMarshal.AsBytes<BFloat16>(narrow));
                break;
            case "F16":
                var halves = new Half[values.Length];
                for (int i = 0; i < values.Length; i++) halves[i] = (Half)values[i];
                stream.Write(MemoryMarshal.AsBytes<Half>(halves));
                break;
            default: stream.Write(MemoryMarshal.AsBytes(values)); break;
        }
    }
}

using System.Text.Json;
using Finery.Tensors;

namespace Finery.Models.Weights;

/// <summary>The safetensors of a model folder: one file, or shards listed by <c>model.safetensors.index.json</c>.</summary>
public sealed class SafeTensorsFolder : IDisposable
{
    /// <summary>Name of an unsharded checkpoint.</summary>
    public const string SingleFile = "model.safetensors";

    /// <summary>Name of the list of shards.</summary>
    public const string IndexFile = "model.safetensors.index.json";

    private readonly Dictionary<string, SafeTensorsFile> _files = new(StringComparer.Ordinal);
    private readonly Dictionary<string, SafeTensorsFile> _byTensor = new(StringComparer.Ordinal);

    private SafeTensorsFolder()
    {
    }

    /// <summary>Names of all tensors.</summary>
    public IEnumerable<string> Names => _byTensor.Keys;

    /// <summary>Opens the single file, or else every shard of the index.</summary>
    /// <exception cref="FileNotFoundException">Neither is there, or a shard is absent.</exception>
    /// <exception cref="InvalidDataException">The index or a shard is malformed, or they disagree.</exception>
    public static SafeTensorsFolder Open(string folder)
    {
        var opened = new SafeTensorsFolder();
        try
        {
            string single = Path.Combine(folder, SingleFile), index = Path.Combine(folder, IndexFile);
            if (File.Exists(single)) opened.Add(SafeTensorsFile.Open(single), SingleFile);
            else if (File.Exists(index)) opened.AddShards(folder, index);
            else throw new FileNotFoundException($"No {SingleFile} or {IndexFile} in '{folder}'.", single);
            return opened;
        }
        catch
        {
            opened.Dispose();
            throw;
        }
    }

    /// <summary>Whether there is such a tensor.</summary>
    public bool Contains(string name) => _byTensor.ContainsKey(name);

    /// <summary>Dimensions of a tensor.</summary>
    public IReadOnlyList<long> Shape(string name) => _byTensor[name].Entries[name].Shape;

    /// <inheritdoc cref="SafeTensorsFile.Read"/>
    public void Read(string name, Tensor destination) => _byTensor[name].Read(name, destination);

    /// <summary>Closes all files.</summary>
    public void Dispose()
    {
        foreach (var file in _files.Values) file.Dispose();
    }

    private void Add(SafeTensorsFile file, string name)
    {
        _files.Add(name, file);
        foreach (string tensor in file.Entries.Keys)
        {
            if (!_byTensor.TryAdd(tensor, file))
                throw new InvalidDataException($"{name}: tensor {tensor} is also in another shard.");
        }
    }

    private void AddShards(string folder, string index)
    {
        var map = ReadMap(index);
        foreach (string shard in map.Values.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal))
        {
            string path = Path.Combine(folder, shard);
            if (!File.Exists(path)) throw new FileNotFoundException($"{index} lists shard {shard}, which is absent.", path);
            Add(SafeTensorsFile.Open(path), shard);
        }
        foreach (var (tensor, shard) in map)
        {
            if (!_files[shard].Entries.ContainsKey(tensor))
                throw new InvalidDataException($"{index}: {tensor} is not in {shard}.");
        }
        foreach (string tensor in _byTensor.Keys)
        {
            if (!map.ContainsKey(tensor))
                throw new InvalidDataException($"{index} does not list {tensor}, which a shard contains.");
        }
    }

    private static Dictionary<string, string> ReadMap(string index)
    {
        var map = new Dictionary<string, string>(StringComparer.Ordinal);
        try
        {
            using var json = JsonDocument.Parse(
                File.ReadAllBytes(index), new JsonDocumentOptions { AllowDuplicateProperties = false });
            if (json.RootElement.ValueKind != JsonValueKind.Object
                || !json.RootElement.TryGetProperty("weight_map", out var entries)
                || entries.ValueKind != JsonValueKind.Object)
            {
                throw new InvalidDataException($"{index}: no object weight_map.");
            }
            foreach (var entry in entries.EnumerateObject())
            {
                string? shard = entry.Value.ValueKind == JsonValueKind.String ? entry.Value.GetString() : null;
                // A shard lies beside its index: no separators, no parent folders.
                if (string.IsNullOrEmpty(shard) || shard.AsSpan().IndexOfAny("/\\:\0") >= 0 || shard is "." or "..")
                    throw new InvalidDataException($"{index}: {entry.Name} maps to '{entry.Value}', which is not a file name.");
                map.Add(entry.Name, shard);
            }
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            throw new InvalidDataException($"{index}: not valid JSON: {exception.Message}", exception);
        }
        return map;
    }
}

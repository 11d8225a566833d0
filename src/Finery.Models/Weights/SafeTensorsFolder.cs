using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using System.Text.Json;
using Finery.Tensors;

namespace Finery.Models.Weights;

/// <summary>The safetensors of a model folder: one file, or shards listed by <c>model.safetensors.index.json</c>. Several threads may
/// read at once.</summary>
public sealed partial class SafeTensorsFolder : IDisposable
{
    /// <summary>Name of an unsharded checkpoint.</summary>
    public const string SingleFile = "model.safetensors";

    /// <summary>Name of the list of shards.</summary>
    public const string IndexFile = "model.safetensors.index.json";

    // A tensor takes some hundred bytes in an index; the largest models have a hundred thousand.
    private const long MaxIndexBytes = 32 << 20;

    private const int Named = 5;

    private readonly Dictionary<string, SafeTensorsFile> _files = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (string File, SafeTensorsFile Content)> _byTensor = new(StringComparer.Ordinal);

    private SafeTensorsFolder()
    {
    }

    /// <summary>Names of all tensors.</summary>
    public IEnumerable<string> Names => _byTensor.Keys;

    /// <summary>The file, or the shards by their names.</summary>
    public IReadOnlyDictionary<string, SafeTensorsFile> Files => _files;

    /// <summary><c>total_size</c> of the index, where it has one; files in circulation are often off, so that it is not relied
    /// on.</summary>
    public long? StatedBytes { get; private set; }

    /// <summary>Whether a folder has weights in this form.</summary>
    public static bool IsIn(string folder) =>
        File.Exists(Path.Combine(folder, SingleFile)) || File.Exists(Path.Combine(folder, IndexFile));

    /// <summary>Opens the single file, or else every shard of the index.</summary>
    /// <exception cref="FileNotFoundException">Neither is there, or a shard is absent.</exception>
    /// <exception cref="InvalidDataException">The index or a shard is malformed, or they disagree.</exception>
    public static SafeTensorsFolder Open(string folder)
    {
        string single = Path.Combine(folder, SingleFile), index = Path.Combine(folder, IndexFile);
        if (File.Exists(single)) return OpenFile(single);
        return File.Exists(index) ? OpenShards(index)
            : throw new FileNotFoundException($"No {SingleFile} or {IndexFile} in '{folder}'.", single);
    }

    /// <summary>Opens one file.</summary>
    /// <exception cref="InvalidDataException">It is malformed.</exception>
    public static SafeTensorsFolder OpenFile(string path) =>
        Opened(folder => folder.Add(SafeTensorsFile.Open(path), Path.GetFileName(path)));

    /// <summary>Opens every shard of an index.</summary>
    /// <exception cref="FileNotFoundException">A shard is absent.</exception>
    /// <exception cref="InvalidDataException">The index or a shard is malformed, or they disagree.</exception>
    public static SafeTensorsFolder OpenShards(string index) =>
        Opened(folder => folder.AddShards(Path.GetDirectoryName(Path.GetFullPath(index))!, index));

    private static SafeTensorsFolder Opened(Action<SafeTensorsFolder> fill)
    {
        var opened = new SafeTensorsFolder();
        try
        {
            fill(opened);
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
    public IReadOnlyList<long> Shape(string name) => Find(name).Entries[name].Shape;

    /// <inheritdoc cref="SafeTensorsFile.Read"/>
    public void Read(string name, Tensor destination) => Find(name).Read(name, destination);

    /// <summary>Reads many tensors on all threads.</summary>
    /// <inheritdoc cref="SafeTensorsFile.Read" path="/exception"/>
    public void Read(IEnumerable<NamedTensor> destinations)
    {
        // One thread a tensor, largest first: copying and converting take longer than reading a cached file.
        var order = destinations.OrderByDescending(weight => weight.Tensor.Length);
        try
        {
            Parallel.ForEach(
                Partitioner.Create(order, EnumerablePartitionerOptions.NoBuffering), weight => Read(weight.Name, weight.Tensor));
        }
        catch (AggregateException exception)
        {
            ExceptionDispatchInfo.Throw(exception.InnerExceptions[0]);
        }
    }

    /// <inheritdoc cref="SafeTensorsFile.Map"/>
    public MappedBytes Map(string name) => Find(name).Map(name);

    /// <inheritdoc cref="SafeTensorsFile.Source"/>
    public TensorSource Source(string name) => Find(name).Source(name);

    /// <summary>Closes all files.</summary>
    public void Dispose()
    {
        foreach (var file in _files.Values) file.Dispose();
    }

    private SafeTensorsFile Find(string name) => _byTensor.TryGetValue(name, out var found) ? found.Content
        : throw new InvalidDataException($"no tensor named {SafeTensorsHeader.Shown(name)} in {List([.. _files.Keys])}.");

    private void Add(SafeTensorsFile file, string name)
    {
        _files.Add(name, file);
        foreach (string tensor in file.Entries.Keys)
        {
            if (!_byTensor.TryAdd(tensor, (name, file)))
                throw new InvalidDataException($"{name}: tensor {tensor} is also in {_byTensor[tensor].File}.");
        }
    }

    private void AddShards(string folder, string index)
    {
        var map = ReadIndex(index);
        string[] shards = [.. map.Values.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
        string[] absent = [.. shards.Where(shard => !File.Exists(Path.Combine(folder, shard)))];
        if (absent.Length > 0)
        {
            throw new FileNotFoundException(
                $"{index}: {absent.Length} of {shards.Length} shards are absent: {List(absent)}.", Path.Combine(folder, absent[0]));
        }
        foreach (string shard in shards) Add(SafeTensorsFile.Open(Path.Combine(folder, shard)), shard);
        foreach (var (tensor, shard) in map)
        {
            if (_files[shard].Entries.ContainsKey(tensor)) continue;
            string where = _byTensor.TryGetValue(tensor, out var found) ? $"it is in {found.File}" : "no listed shard has it";
            throw new InvalidDataException($"{index}: {SafeTensorsHeader.Shown(tensor)} is not in {shard}; {where}.");
        }
        string[] unlisted = [.. _byTensor.Keys.Where(tensor => !map.ContainsKey(tensor))];
        if (unlisted.Length > 0) throw new InvalidDataException($"{index} does not list {List(unlisted)}, which a shard contains.");
    }

    private Dictionary<string, string> ReadIndex(string index)
    {
        var map = new Dictionary<string, string>(StringComparer.Ordinal);
        try
        {
            using var json = JsonDocument.Parse(
                SmallFile.Read(index, MaxIndexBytes), new JsonDocumentOptions { AllowDuplicateProperties = false });
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
                {
                    throw new InvalidDataException($"{index}: {SafeTensorsHeader.Shown(entry.Name)} maps to "
                        + $"'{SafeTensorsHeader.Shown(entry.Value.ToString())}', which is not a file name.");
                }
                map.Add(entry.Name, shard);
            }
            if (json.RootElement.TryGetProperty("metadata", out var metadata) && metadata.ValueKind == JsonValueKind.Object
                && metadata.TryGetProperty("total_size", out var size) && size.ValueKind == JsonValueKind.Number
                && size.TryGetDouble(out double bytes) && bytes is >= 0 and < long.MaxValue)
            {
                StatedBytes = (long)bytes;
            }
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            throw new InvalidDataException($"{index}: not valid JSON: {exception.Message}", exception);
        }
        return map;
    }

    private static string List(string[] names) =>
        string.Join(", ", names.Take(Named).Select(SafeTensorsHeader.Shown)) + (names.Length > Named ? ", and more" : "");
}

using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Finery.Models.Weights;

public sealed partial class SafeTensorsFolder
{
    /// <summary>Most bytes of tensors in a file before a checkpoint is split, as Hugging Face's writer long had it.</summary>
    public const long DefaultShardBytes = 5_000_000_000;

    /// <summary>Writes <c>model.safetensors</c>, or shards with their index where the tensors take more than a file's share. Every
    /// file is written atomically and the one that readers look for first comes last; what an earlier checkpoint left is removed.</summary>
    /// <param name="folder">Created if absent.</param>
    /// <param name="tensors">Filled into shards in this order; each asked for its values once.</param>
    /// <param name="metadata">Of every file; null for none.</param>
    /// <param name="maxShardBytes">Most bytes of tensors in a file; a larger tensor has one of its own.</param>
    /// <returns>Names of the files with tensors.</returns>
    /// <exception cref="ArgumentException">Two tensors have one name, or one cannot be stored.</exception>
    public static IReadOnlyList<string> Write(
        string folder, IReadOnlyList<TensorSource> tensors, IReadOnlyDictionary<string, string>? metadata = null,
        long maxShardBytes = DefaultShardBytes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxShardBytes, 1);
        SafeTensorsWriter.CheckNames(tensors.Select(tensor => tensor.Name));
        var shards = Split(tensors, maxShardBytes, out long total);
        Directory.CreateDirectory(folder);
        string single = Path.Combine(folder, SingleFile), index = Path.Combine(folder, IndexFile);
        if (shards.Count == 1)
        {
            SafeTensorsWriter.WriteStreamed(single, tensors, metadata);
            File.Delete(index);
            RemoveShards(folder, []);
            return [SingleFile];
        }
        string[] names = [.. shards.Select((_, i) => string.Create(CultureInfo.InvariantCulture,
            $"model-{i + 1:00000}-of-{shards.Count:00000}.safetensors"))];
        // Shards of two checkpoints may have the same names: without an index a folder half written is not taken for a whole one.
        File.Delete(index);
        for (int i = 0; i < names.Length; i++) SafeTensorsWriter.WriteStreamed(Path.Combine(folder, names[i]), shards[i], metadata);
        AtomicFile.Write(index, stream => WriteIndex(stream, names, shards, total));
        File.Delete(single);
        RemoveShards(folder, names);
        return names;
    }

    private static List<List<TensorSource>> Split(IReadOnlyList<TensorSource> tensors, long maxShardBytes, out long total)
    {
        var shards = new List<List<TensorSource>> { new() };
        long filled = 0;
        total = 0;
        foreach (var tensor in tensors)
        {
            long bytes = SafeTensorsWriter.Bytes(tensor);
            if (shards[^1].Count > 0 && bytes > maxShardBytes - filled)
            {
                shards.Add([]);
                filled = 0;
            }
            shards[^1].Add(tensor);
            filled += bytes;
            total = checked(total + bytes);
        }
        return shards;
    }

    private static void WriteIndex(Stream stream, string[] names, List<List<TensorSource>> shards, long total)
    {
        using var json = new Utf8JsonWriter(stream,
            new JsonWriterOptions { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        json.WriteStartObject();
        json.WriteStartObject("metadata");
        json.WriteNumber("total_size", total);
        json.WriteEndObject();
        json.WriteStartObject("weight_map");
        foreach (var (tensor, file) in shards.SelectMany((shard, i) => shard.Select(tensor => (tensor.Name, names[i])))
            .OrderBy(item => item.Name, StringComparer.Ordinal))
        {
            json.WriteString(tensor, file);
        }
        json.WriteEndObject();
        json.WriteEndObject();
        json.Flush();
        stream.WriteByte((byte)'\n');
    }

    private static void RemoveShards(string folder, string[] kept)
    {
        foreach (string path in Directory.EnumerateFiles(folder, "model-*.safetensors").ToList())
        {
            string name = Path.GetFileName(path);
            if (ShardName().IsMatch(name) && !kept.Contains(name)) File.Delete(path);
        }
    }

    [GeneratedRegex(@"^model-\d{5}-of-\d{5}\.safetensors$")]
    private static partial Regex ShardName();
}

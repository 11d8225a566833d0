using System.Text.Json;
using Finery.Models.Weights;
using Xunit;

namespace Finery.Tests.Models.Weights;

public sealed class ShardTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string Index => _folder[SafeTensorsFolder.IndexFile];

    [Fact]
    public void Tensors_fill_shards_in_their_order_up_to_the_limit()
    {
        string[] files = [.. SafeTensorsFolder.Write(_folder.Path, Tensors(("a", 60), ("b", 40), ("c", 1), ("d", 500), ("e", 5)),
            new Dictionary<string, string> { ["format"] = "pt" }, maxShardBytes: 100)];
        Assert.Equal(Enumerable.Range(1, 4).Select(i => $"model-0000{i}-of-00004.safetensors"), files);
        using (var json = JsonDocument.Parse(File.ReadAllText(Index)))
        {
            Assert.Equal(606, json.RootElement.GetProperty("metadata").GetProperty("total_size").GetInt64());
            Assert.Equal([("a", files[0]), ("b", files[0]), ("c", files[1]), ("d", files[2]), ("e", files[3])],
                json.RootElement.GetProperty("weight_map").EnumerateObject().Select(entry => (entry.Name, entry.Value.GetString()!)));
        }
        using var weights = SafeTensorsFolder.Open(_folder.Path);
        Assert.Equal(["a", "b", "c", "d", "e"], weights.Names.Order());
        Assert.Equal((606L, 500L), (weights.StatedBytes, weights.Map("d").Length));
        Assert.All(weights.Files.Values, file => Assert.Equal("pt", file.Metadata["format"]));
        Assert.Contains("nowhere", Assert.Throws<InvalidDataException>(() => weights.Map("nowhere")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Writing_again_leaves_nothing_of_the_checkpoint_before()
    {
        SafeTensorsFolder.Write(_folder.Path, Tensors(("a", 60), ("b", 60), ("c", 60)), maxShardBytes: 100);
        SafeTensorsFolder.Write(_folder.Path, Tensors(("a", 60), ("b", 60)), maxShardBytes: 100);
        Assert.Equal(["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"], Names());
        File.WriteAllText(_folder["model-of-mine.safetensors"], "kept");
        SafeTensorsFolder.Write(_folder.Path, Tensors(("a", 60)), maxShardBytes: 100);
        Assert.Equal(["model-of-mine.safetensors", "model.safetensors"], Names());
        SafeTensorsFolder.Write(_folder.Path, Tensors(("a", 60), ("b", 60)), maxShardBytes: 100);
        Assert.Equal(4, Names().Length);
        using var weights = SafeTensorsFolder.Open(_folder.Path);
        Assert.Equal(2, weights.Files.Count);
    }

    [Fact]
    public void A_failure_between_shards_leaves_no_index()
    {
        SafeTensorsFolder.Write(_folder.Path, Tensors(("a", 60), ("b", 60)), maxShardBytes: 100);
        var broken = new TensorSource("b", "U8", [60], _ => throw new IOException("disk full"));
        Assert.Throws<IOException>(() => SafeTensorsFolder.Write(_folder.Path, [Tensors(("a", 60))[0], broken], maxShardBytes: 100));
        Assert.Throws<FileNotFoundException>(() => SafeTensorsFolder.Open(_folder.Path));
        Assert.Throws<ArgumentException>(() => SafeTensorsFolder.Write(_folder.Path, Tensors(("a", 60), ("a", 60)), maxShardBytes: 100));
    }

    [Fact]
    public void An_index_that_the_shards_contradict_is_refused()
    {
        SafeTensorsFolder.Write(_folder.Path, Tensors(("one", 60), ("two", 60), ("three", 60)), maxShardBytes: 100);
        string text = File.ReadAllText(Index);
        string Changed(string from, string to) => text.Replace(from, to, StringComparison.Ordinal);
        foreach (var (broken, message) in new[]
        {
            ("", "JSON"), ("{", "JSON"), ("{}", "weight_map"), ("[]", "weight_map"), ("{\"weight_map\":[]}", "weight_map"),
            ("{\"weight_map\":{\"a\":1}}", "not a file name"), ("{\"weight_map\":{\"a\":\"x\",\"a\":\"x\"}}", "JSON"),
            ("{\"weight_map\":{\"a\":\"\\ud800\"}}", "JSON"),
            (Changed("model-00001", "../model-00001"), "not a file name"), (Changed("model-00001", "/model-00001"), "not a file name"),
            (Changed("model-00001", "C:model-00001"), "not a file name"), (Changed("model-00001", "a\\\\model-00001"), "not a file name"),
            ("{\"weight_map\":{\"a\":\"..\"}}", "not a file name"), ("{\"weight_map\":{\"a\":\"\"}}", "not a file name"),
            (Changed("\"two\": \"model-00002", "\"two\": \"model-00001"), "two is not in model-00001-of-00003.safetensors; no listed shard has it"),
            (Changed("\"two\": \"model-00002", "\"one\": \"model-00002").Replace("\"one\": \"model-00001", "\"two\": \"model-00001", StringComparison.Ordinal),
                "; it is in model-0000"),
            (Changed("\"two\"", "\"four\""), "four is not in model-00002-of-00003.safetensors; no listed shard has it"),
        })
        {
            File.WriteAllText(Index, broken);
            Assert.Contains(message, Assert.Throws<InvalidDataException>(() => SafeTensorsFolder.Open(_folder.Path)).Message, StringComparison.Ordinal);
        }

        // A tensor that a shard has and the index leaves out; one that two shards have; a shard that is absent or damaged.
        File.WriteAllText(Index, text);
        SafeTensorsWriter.WriteStreamed(_folder["model-00003-of-00003.safetensors"], Tensors(("two", 60), ("three", 60)));
        Assert.Contains("tensor two is also in model-00002", Refused(), StringComparison.Ordinal);
        SafeTensorsWriter.WriteStreamed(_folder["model-00003-of-00003.safetensors"], Tensors(("extra", 1), ("three", 60)));
        Assert.Contains("does not list extra", Refused(), StringComparison.Ordinal);
        File.WriteAllBytes(_folder["model-00003-of-00003.safetensors"], [1, 2, 3]);
        Assert.Contains("at least 8", Refused(), StringComparison.Ordinal);
        File.Delete(_folder["model-00003-of-00003.safetensors"]);
        Assert.Contains("1 of 3 shards are absent: model-00003-of-00003.safetensors",
            Assert.Throws<FileNotFoundException>(() => SafeTensorsFolder.Open(_folder.Path)).Message, StringComparison.Ordinal);
        using (var stream = File.Create(Index)) stream.SetLength(1L << 33);
        Assert.Contains("at most", Refused(), StringComparison.Ordinal);
    }

    public void Dispose() => _folder.Dispose();

    private string Refused() => Assert.Throws<InvalidDataException>(() => SafeTensorsFolder.Open(_folder.Path)).Message;

    private string[] Names() => [.. Directory.GetFiles(_folder.Path).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];

    private static TensorSource[] Tensors(params (string Name, int Bytes)[] tensors) =>
        [.. tensors.Select(tensor => new TensorSource(tensor.Name, "U8", [tensor.Bytes], stream => stream.Write(new byte[tensor.Bytes])))];
}

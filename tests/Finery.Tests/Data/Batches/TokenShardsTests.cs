using System.Buffers.Binary;
using Finery.Data.Batches;
using Finery.Data.Tokenizers;
using Finery.Tests.Data.Tokenizers;
using Xunit;

namespace Finery.Tests.Data.Batches;

public sealed class TokenShardsTests : IDisposable
{
    private static readonly string[] Texts = Samples.Texts(120);
    private readonly string _folder = Directory.CreateTempSubdirectory().FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Unshuffled_shards_hold_the_documents_in_order()
    {
        var manifest = new TokenShardWriter { Shuffle = false, TokensPerFile = 1000 }.Write(
            _folder, Texts.Append(""), Samples.Tokenizer);
        Assert.True(manifest.Files.Count > 3);
        using var shards = TokenShards.Open(_folder, Samples.Tokenizer.Fingerprint);
        Assert.Equal(Texts.Length, shards.DocumentCount);
        Assert.Equal(Texts.Sum(text => (long)System.Text.Encoding.UTF8.GetByteCount(text)), manifest.TextBytes);
        for (int i = 0; i < Texts.Length; i++) Assert.Equal([0, .. Samples.Tokenizer.Encode(Texts[i]), 1], Read(shards, i));
        Assert.Equal(Enumerable.Range(0, Texts.Length).SelectMany(i => Read(shards, i)), All(shards));
    }

    [Fact]
    public void Shuffled_shards_hold_the_same_documents_in_a_seeded_order()
    {
        string[] Decoded(ulong seed, int threads)
        {
            new TokenShardWriter { Seed = seed, Threads = threads }.Write(_folder, Texts, Samples.Tokenizer);
            using var shards = TokenShards.Open(_folder);
            return [.. Enumerable.Range(0, Texts.Length).Select(i => Samples.Tokenizer.Decode(Read(shards, i)))];
        }
        string[] plain = [.. Texts.Select(text => Samples.Tokenizer.Decode(Samples.Tokenizer.Encode(text)))];
        string[] first = Decoded(1, threads: 1);
        Assert.Equal(plain.Order(StringComparer.Ordinal), first.Order(StringComparer.Ordinal));
        Assert.NotEqual(plain, first);
        Assert.Equal(first, Decoded(1, threads: 4));
        Assert.NotEqual(first, Decoded(2, threads: 4));
    }

    [Fact]
    public void Files_are_the_documented_layout()
    {
        new TokenShardWriter { Shuffle = false }.Write(_folder, ["the", "a of"], Samples.Tokenizer);
        int[][] documents = [[0, .. Samples.Tokenizer.Encode("the"), 1], [0, .. Samples.Tokenizer.Encode("a of"), 1]];
        var expected = new byte[documents.Sum(ids => ids.Length) * 2];
        int at = 0;
        foreach (int id in documents.SelectMany(ids => ids))
            BinaryPrimitives.WriteUInt16LittleEndian(expected.AsSpan(2 * at++), (ushort)id);
        Assert.Equal(expected, File.ReadAllBytes(Path.Combine(_folder, "tokens_00000.ds")));
        byte[] index = File.ReadAllBytes(Path.Combine(_folder, "tokens_00000.ds.index"));
        Assert.Equal([(ulong)documents[0].Length, (ulong)at],
            [BinaryPrimitives.ReadUInt64LittleEndian(index), BinaryPrimitives.ReadUInt64LittleEndian(index.AsSpan(8))]);
        Assert.Equal($"{Samples.Tokenizer.Fingerprint}|2", File.ReadLines(Path.Combine(_folder, "tokens_00000.ds.metadata"))
            .First());
        Assert.Equal(["manifest.json", "tokens_00000.ds", "tokens_00000.ds.index", "tokens_00000.ds.metadata"],
            Directory.GetFiles(_folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Large_vocabularies_take_four_bytes()
    {
        var model = Samples.Tokenizer.Model;
        var large = new Tokenizer(model with { Tokens = [.. model.Tokens, .. Enumerable.Range(0, 70_000)
            .Select(i => $"ŁŁ{i}")] });
        new TokenShardWriter { Shuffle = false }.Write(_folder, ["stream"], large);
        using var shards = TokenShards.Open(_folder);
        Assert.Equal(4, shards.Manifest.TokenBytes);
        Assert.Equal([0, .. large.Encode("stream"), 1], All(shards));
    }

    [Fact]
    public void Document_ends_are_found_from_any_token()
    {
        new TokenShardWriter { TokensPerFile = 500 }.Write(_folder, Texts, Samples.Tokenizer);
        using var shards = TokenShards.Open(_folder);
        for (long document = 0; document < shards.DocumentCount; document++)
        {
            var (start, end) = shards.Document(document);
            for (long token = start; token < end; token++) Assert.Equal(end, shards.DocumentEnd(token));
        }
        Assert.Throws<ArgumentOutOfRangeException>(() => shards.DocumentEnd(shards.TokenCount));
        Assert.Throws<ArgumentOutOfRangeException>(() => shards.Read(shards.TokenCount - 1, new int[2]));
        Assert.Throws<ArgumentOutOfRangeException>(() => shards.Document(-1));
    }

    [Fact]
    public void Damage_is_refused_with_the_file_named()
    {
        string data = Path.Combine(_folder, "tokens_00000.ds"), index = data + ".index",
            manifest = Path.Combine(_folder, "manifest.json");
        Broken(() => File.WriteAllBytes(data, File.ReadAllBytes(data)[..^1]), "truncated");
        Broken(() => File.WriteAllBytes(data, [.. File.ReadAllBytes(data), 0]), "truncated or replaced");
        Broken(() => Flip(data), "SHA-256");
        Broken(() => Flip(index), "index");
        Broken(() => File.WriteAllBytes(index, new byte[8]), "index");
        Broken(() => File.WriteAllText(manifest, "{}"), "manifest");
        Broken(() => File.WriteAllText(manifest, "null"), "empty");
        Broken(() => File.WriteAllText(manifest, File.ReadAllText(manifest)
            .Replace("\"token_bytes\": 2", "\"token_bytes\": 4")), "inconsistent");
        Broken(() => File.WriteAllText(manifest, File.ReadAllText(manifest).Replace("tokens_00000.ds", "../tokens_00000.ds")),
            "impossible");
        Broken(() => File.WriteAllText(manifest, File.ReadAllText(manifest).Replace("\"version\": 1", "\"version\": 9")),
            "version 9");
        Write();
        File.Delete(index);
        Assert.Throws<FileNotFoundException>(() => TokenShards.Open(_folder));
        Write();
        Assert.Contains("another tokenizer", Assert.Throws<InvalidDataException>(() => TokenShards.Open(_folder, "abc")).Message);
        File.Delete(manifest);
        Assert.Throws<FileNotFoundException>(() => TokenShards.Open(_folder));

        void Write() => new TokenShardWriter().Write(_folder, Texts, Samples.Tokenizer);

        void Broken(Action damage, string named)
        {
            Write();
            damage();
            Assert.Contains(named, Assert.Throws<InvalidDataException>(() => TokenShards.Open(_folder)).Message);
        }
    }

    [Fact]
    public void An_id_beyond_the_vocabulary_is_refused_even_without_digests()
    {
        new TokenShardWriter().Write(_folder, Texts, Samples.Tokenizer);
        string data = Path.Combine(_folder, "tokens_00000.ds");
        byte[] bytes = File.ReadAllBytes(data);
        bytes[9] = 0xFF;
        File.WriteAllBytes(data, bytes);
        using var shards = TokenShards.Open(_folder, verify: false);
        Assert.Contains("token 4", Assert.Throws<InvalidDataException>(() => shards.Read(0, new int[10])).Message);
    }

    [Fact]
    public void Nothing_to_write_is_an_error_and_leaves_no_manifest()
    {
        Assert.Throws<InvalidDataException>(() => new TokenShardWriter().Write(_folder, ["", ""], Samples.Tokenizer));
        Assert.Empty(Directory.GetFiles(_folder));
    }

    private static void Flip(string path)
    {
        byte[] bytes = File.ReadAllBytes(path);
        bytes[bytes.Length / 2] ^= 1;
        File.WriteAllBytes(path, bytes);
    }

    private static int[] Read(TokenShards shards, int document)
    {
        var (start, end) = shards.Document(document);
        var ids = new int[end - start];
        shards.Read(start, ids);
        return ids;
    }

    private static int[] All(TokenShards shards)
    {
        var ids = new int[shards.TokenCount];
        shards.Read(0, ids);
        return ids;
    }
}

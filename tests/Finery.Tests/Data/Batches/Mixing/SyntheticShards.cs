using System.Buffers.Binary;
using System.Security.Cryptography;
using Finery.Data.Batches;

namespace Finery.Tests.Data.Batches.Mixing;

/// <summary>Token shards in which every token tells where it is from: its id is <c>FirstId + index</c>.</summary>
internal sealed class SyntheticShards : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory().FullName;

    /// <param name="documents">Tokens of each document.</param>
    /// <param name="firstId">Id of the first token.</param>
    /// <param name="documentsPerFile">Documents of a shard.</param>
    /// <param name="vocabSize">At most 65,536 makes ids of two bytes, which wrap around.</param>
    /// <param name="tokenizer">Fingerprint.</param>
    public SyntheticShards(
        IEnumerable<int> documents, int firstId = 0, int documentsPerFile = int.MaxValue, int vocabSize = 1 << 24, string tokenizer = "synthetic")
    {
        int bytes = vocabSize <= 65_536 ? 2 : 4, at = 0;
        var files = new List<TokenShardFile>();
        foreach (int[] lengths in documents.Chunk(documentsPerFile))
        {
            string name = $"tokens_{files.Count:D5}.ds";
            var data = new byte[lengths.Sum() * bytes];
            for (int i = 0; i < data.Length / bytes; i++, at++)
            {
                if (bytes == 4) BinaryPrimitives.WriteInt32LittleEndian(data.AsSpan(4 * i), firstId + at);
                else BinaryPrimitives.WriteUInt16LittleEndian(data.AsSpan(2 * i), (ushort)((firstId + at) % vocabSize));
            }
            var index = new byte[lengths.Length * 8];
            long end = 0;
            for (int i = 0; i < lengths.Length; i++) BinaryPrimitives.WriteInt64LittleEndian(index.AsSpan(8 * i), end += lengths[i]);
            File.WriteAllBytes(Path.Combine(_folder, name), data);
            File.WriteAllBytes(Path.Combine(_folder, name + ".index"), index);
            files.Add(new(name, end, lengths.Length, Hash(data), Hash(index)));
        }
        var manifest = new TokenShardManifest
        {
            Version = 1, VocabSize = vocabSize, Tokenizer = tokenizer, TokenBytes = bytes, TextBytes = 4L * at, Files = files,
        };
        File.WriteAllText(Path.Combine(_folder, TokenShardManifest.FileName), manifest.ToJson());
        Shards = TokenShards.Open(_folder, verify: false);
    }

    public TokenShards Shards { get; }

    public string Folder => _folder;

    /// <summary>Documents of random lengths from 1 to <paramref name="longest"/>, so many tokens in all.</summary>
    public static IEnumerable<int> Documents(int tokens, int longest, int seed)
    {
        var random = new Random(seed);
        while (tokens > 0)
        {
            int length = Math.Min(tokens, 1 + random.Next(longest));
            yield return length;
            tokens -= length;
        }
    }

    public void Dispose()
    {
        Shards.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private static string Hash(byte[] data) => Convert.ToHexStringLower(SHA256.HashData(data));
}

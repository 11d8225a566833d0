using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Finery.Data.Tokenizers;
using Finery.Data.Writers;

namespace Finery.Data.Batches;

/// <summary>
/// Tokenises documents into shards: headerless little-endian ids (<c>.ds</c>), cumulative document ends as u64
/// (<c>.ds.index</c>), a line of facts (<c>.ds.metadata</c>), and <see cref="TokenShardManifest"/>. A document is its begin
/// token, its tokens, its end token (each if the tokenizer has one). With <see cref="Shuffle"/> the order is a seeded
/// permutation of documents. The files depend on documents and settings only, not on <see cref="Threads"/>.
/// </summary>
/// <remarks>Tokens go to disk as they are made (twice the space while shuffling); memory holds 12 bytes per document, so the
/// limit is about 2 billion documents for one folder.</remarks>
public sealed record TokenShardWriter
{
    private const int BatchChars = 1 << 20, BufferBytes = 1 << 20;

    /// <summary>Whether documents are written in a seeded random order.</summary>
    public bool Shuffle { get; init; } = true;

    /// <summary>Seed of the order.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Threads that tokenise; 0 = one per processor.</summary>
    public int Threads { get; init; }

    /// <summary>A shard is closed after the document with which it reaches this many tokens.</summary>
    public long TokensPerFile { get; init; } = 1L << 30;

    /// <summary>Shards are called <c>{Prefix}_00000.ds</c> and so on.</summary>
    public string Prefix { get; init; } = "tokens";

    /// <summary>Tokenises <paramref name="documents"/> into <paramref name="folder"/>; empty documents are left out.</summary>
    /// <param name="folder">Made if need be; earlier shards of the same name are replaced.</param>
    /// <param name="documents">Read once, by one thread.</param>
    /// <param name="tokenizer">Makes the ids.</param>
    /// <param name="progress">Told the number of tokens made so far.</param>
    /// <param name="cancellation">Stops between batches; the folder is then unfinished (it has no manifest).</param>
    /// <exception cref="InvalidDataException">There is no document with text.</exception>
    public TokenShardManifest Write(
        string folder, IEnumerable<string> documents, Tokenizer tokenizer, IProgress<long>? progress = null,
        CancellationToken cancellation = default)
    {
        if (TokensPerFile <= 0) throw new ArgumentException($"{nameof(TokensPerFile)} {TokensPerFile} must be positive.");
        Directory.CreateDirectory(folder);
        File.Delete(Path.Combine(folder, TokenShardManifest.FileName)); // until the new one is written, the folder is unfinished
        string unshuffled = Path.Combine(folder, $"{Prefix}_unshuffled.tmp");
        int tokenBytes = tokenizer.VocabSize <= 65_536 ? 2 : 4;
        try
        {
            var ends = new List<long>();
            long textBytes = Tokenise(unshuffled, documents, tokenizer, tokenBytes, ends, progress, cancellation);
            if (ends.Count == 0) throw new InvalidDataException("There are no tokens to write: no document has any text.");
            var files = WriteShards(folder, unshuffled, ends, tokenBytes, tokenizer, cancellation);
            var manifest = new TokenShardManifest
            {
                Version = 1, VocabSize = tokenizer.VocabSize, Tokenizer = tokenizer.Fingerprint, TokenBytes = tokenBytes,
                BosId = tokenizer.BosId, EosId = tokenizer.EosId, TextBytes = textBytes, Files = files,
            };
            WriteAtomically(Path.Combine(folder, TokenShardManifest.FileName), 
                stream => stream.Write(Encoding.UTF8.GetBytes(manifest.ToJson())));
            return manifest;
        }
        finally
        {
            File.Delete(unshuffled);
        }
    }

    /// <summary>Writes all tokens in the order of the documents; collects where each document ends, in tokens.</summary>
    private long Tokenise(
        string path, IEnumerable<string> documents, Tokenizer tokenizer, int tokenBytes, List<long> ends,
        IProgress<long>? progress, CancellationToken cancellation)
    {
        using var stream = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None, BufferBytes);
        var options = new ParallelOptions
        {
            MaxDegreeOfParallelism = Threads == 0 ? Environment.ProcessorCount : Threads, CancellationToken = cancellation,
        };
        long textBytes = 0, tokens = 0;
        foreach (List<string> batch in Batches(documents))
        {
            var encoded = new byte[batch.Count][];
            Parallel.For(0, batch.Count, options, i => encoded[i] = Encode(batch[i], tokenizer, tokenBytes));
            for (int i = 0; i < batch.Count; i++)
            {
                stream.Write(encoded[i]);
                ends.Add(tokens += encoded[i].Length / tokenBytes);
                textBytes += Encoding.UTF8.GetByteCount(batch[i]);
            }
            progress?.Report(tokens);
        }
        return textBytes;
    }

    private static byte[] Encode(string text, Tokenizer tokenizer, int tokenBytes)
    {
        var ids = new List<int>((text.Length / 3) + 8);
        if (tokenizer.BosId is { } bos) ids.Add(bos);
        tokenizer.Encode(text, ids);
        if (tokenizer.EosId is { } eos) ids.Add(eos);
        var bytes = new byte[checked(ids.Count * tokenBytes)];
        for (int i = 0; i < ids.Count; i++)
        {
            if (tokenBytes == 2) BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(2 * i), (ushort)ids[i]);
            else BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(4 * i), (uint)ids[i]);
        }
        return bytes;
    }

    private List<TokenShardFile> WriteShards(
        string folder, string unshuffled, List<long> ends, int tokenBytes, Tokenizer tokenizer, CancellationToken cancellation)
    {
        using var source = File.OpenHandle(unshuffled);
        int[] order = Order(ends.Count);
        var files = new List<TokenShardFile>();
        for (int next = 0; next < order.Length;)
        {
            string name = $"{Prefix}_{files.Count.ToString("D5", CultureInfo.InvariantCulture)}.ds",
                path = Path.Combine(folder, name);
            var shardEnds = new List<long>();
            string digest = WriteAtomically(path, stream =>
            {
                long tokens = 0;
                while (next < order.Length && tokens < TokensPerFile)
                {
                    cancellation.ThrowIfCancellationRequested();
                    int document = order[next++];
                    long start = document == 0 ? 0 : ends[document - 1];
                    var bytes = new byte[(ends[document] - start) * tokenBytes];
                    int read = 0;
                    while (read < bytes.Length)
                    {
                        int got = RandomAccess.Read(source, bytes.AsSpan(read), (start * tokenBytes) + read);
                        read += got > 0 ? got : throw new EndOfStreamException(
                            $"{unshuffled} ended early: it was changed while in use.");
                    }
                    stream.Write(bytes);
                    shardEnds.Add(tokens += ends[document] - start);
                }
            });
            string indexDigest = WriteAtomically(path + ".index", stream =>
            {
                Span<byte> end = stackalloc byte[8];
                foreach (long value in shardEnds)
                {
                    BinaryPrimitives.WriteUInt64LittleEndian(end, (ulong)value);
                    stream.Write(end);
                }
            });
            string facts = string.Create(CultureInfo.InvariantCulture,
                $"{tokenizer.Fingerprint}|{tokenBytes}\n{shardEnds[^1]}\n{shardEnds[^1] / 1e6:0.###} M\n");
            WriteAtomically(path + ".metadata", stream => stream.Write(Encoding.UTF8.GetBytes(facts)));
            files.Add(new TokenShardFile(name, shardEnds[^1], shardEnds.Count, digest, indexDigest));
        }
        return files;
    }

    /// <summary>Fisher and Yates's shuffle with seeded numbers, or the documents as they came.</summary>
    private int[] Order(int count)
    {
        int[] order = [.. Enumerable.Range(0, count)];
        for (int i = count - 1; Shuffle && i > 0; i--)
        {
            int j = (int)SeededHash.Below(SeededHash.Mix(Seed, (ulong)i), i + 1);
            (order[i], order[j]) = (order[j], order[i]);
        }
        return order;
    }

    private static IEnumerable<List<string>> Batches(IEnumerable<string> documents)
    {
        var batch = new List<string>();
        long characters = 0;
        foreach (string document in documents)
        {
            if (document.Length == 0) continue;
            batch.Add(document);
            if ((characters += document.Length) < BatchChars) continue;
            yield return batch;
            batch = [];
            characters = 0;
        }
        if (batch.Count > 0) yield return batch;
    }

    /// <summary>Writes a file whole or not at all.</summary>
    /// <returns>SHA-256 of the content.</returns>
    private static string WriteAtomically(string path, Action<Stream> write)
    {
        using var hash = SHA256.Create();
        AtomicFile.Write(path, file =>
        {
            using var hashing = new CryptoStream(file, hash, CryptoStreamMode.Write, leaveOpen: true);
            write(hashing);
        });
        return Convert.ToHexStringLower(hash.Hash!);
    }
}

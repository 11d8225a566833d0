using System.Buffers.Binary;
using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Finery.Data.Batches;

/// <summary>A folder written by <see cref="TokenShardWriter"/>, memory-mapped: all shards as one sequence of tokens. Reading is
/// safe from many threads until it is disposed.</summary>
public sealed class TokenShards : IDisposable
{
    private readonly Shard[] _shards;

    private TokenShards(TokenShardManifest manifest, Shard[] shards)
    {
        Manifest = manifest;
        _shards = shards;
        TokenCount = manifest.TokenCount;
        DocumentCount = manifest.DocumentCount;
    }

    /// <summary>What the folder holds.</summary>
    public TokenShardManifest Manifest { get; }

    /// <summary>Tokens of all shards, control tokens included.</summary>
    public long TokenCount { get; }

    /// <summary>Documents of all shards.</summary>
    public long DocumentCount { get; }

    /// <summary>Opens a folder and checks every file against the manifest.</summary>
    /// <param name="folder">Written by <see cref="TokenShardWriter"/>.</param>
    /// <param name="tokenizer">Fingerprint the ids must come from, or null to take any.</param>
    /// <param name="verify">Whether to read all files once to check their digests (about 1 GB/s); sizes and the document ends are
    /// checked in any case.</param>
    /// <exception cref="FileNotFoundException">The folder or a file is missing.</exception>
    /// <exception cref="InvalidDataException">A file is truncated, damaged or does not match the manifest.</exception>
    public static TokenShards Open(string folder, string? tokenizer = null, bool verify = true)
    {
        string path = Path.Combine(folder, TokenShardManifest.FileName);
        if (!File.Exists(path))
            throw new FileNotFoundException(
                $"{folder} holds no finished token shards ({TokenShardManifest.FileName} is missing). Tokenize again.", path);
        TokenShardManifest manifest = TokenShardManifest.Parse(File.ReadAllText(path), path);
        Check(manifest.Version == 1, $"{path} has version {manifest.Version}; this program reads version 1.");
        IReadOnlyList<TokenShardFile> files = manifest.Files ?? [];
        Check(manifest.VocabSize > 0 && manifest.TokenBytes == (manifest.VocabSize <= 65_536 ? 2 : 4) && files.Count > 0,
            $"{path} is inconsistent: vocab_size {manifest.VocabSize}, token_bytes {manifest.TokenBytes}, {files.Count} files.");
        Check(files.All(file => file?.Name is not null), $"{path} has a shard without a name.");
        if (tokenizer is not null && tokenizer != manifest.Tokenizer)
            throw new InvalidDataException($"The token shards in {folder} were made with another tokenizer " +
                $"({manifest.Tokenizer}, not {tokenizer}). Tokenize again.");
        var shards = new List<Shard>();
        try
        {
            long tokens = 0, documents = 0;
            foreach (TokenShardFile file in files)
            {
                shards.Add(Shard.Open(folder, file, manifest, verify, tokens, documents));
                tokens += file.Tokens;
                documents += file.Documents;
            }
            return new TokenShards(manifest, [.. shards]);
        }
        catch
        {
            foreach (Shard shard in shards) shard.Dispose();
            throw;
        }
    }

    /// <summary>Copies the tokens from <paramref name="start"/> on to <paramref name="destination"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The range is not within the corpus.</exception>
    /// <exception cref="InvalidDataException">An id is not below the vocabulary size.</exception>
    public void Read(long start, Span<int> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(start, TokenCount - destination.Length);
        while (!destination.IsEmpty)
        {
            Shard shard = ShardOf(start);
            int count = (int)Math.Min(destination.Length, shard.FirstToken + shard.Tokens - start);
            shard.Read(start - shard.FirstToken, destination[..count], Manifest.VocabSize);
            destination = destination[count..];
            start += count;
        }
    }

    /// <summary>Index after the last token of the document that holds <paramref name="token"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such token.</exception>
    public long DocumentEnd(long token)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(token);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(token, TokenCount);
        Shard shard = ShardOf(token);
        return shard.FirstToken + shard.End(shard.DocumentAt(token - shard.FirstToken));
    }

    /// <summary>Tokens of each document, in order.</summary>
    public IEnumerable<long> DocumentLengths()
    {
        foreach (Shard shard in _shards)
        {
            long last = 0;
            for (long document = 0; document < shard.Documents; document++)
            {
                long end = shard.End(document);
                yield return end - last;
                last = end;
            }
        }
    }

    /// <summary>The ends of the documents from the one that holds <paramref name="token"/> on, by one search for all.</summary>
    internal DocumentWalk Walk(long token)
    {
        int shard = ShardAt(token);
        return new(this, shard, _shards[shard].DocumentAt(token - _shards[shard].FirstToken));
    }

    /// <summary>Tokens [start, end) of a document by its number.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such document.</exception>
    public (long Start, long End) Document(long number)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(number);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(number, DocumentCount);
        int i = _shards.Length - 1;
        while (_shards[i].FirstDocument > number) i--;
        Shard shard = _shards[i];
        long local = number - shard.FirstDocument;
        return (shard.FirstToken + (local == 0 ? 0 : shard.End(local - 1)), shard.FirstToken + shard.End(local));
    }

    /// <summary>Unmaps the files.</summary>
    public void Dispose()
    {
        foreach (Shard shard in _shards) shard.Dispose();
    }

    private Shard ShardOf(long token) => _shards[ShardAt(token)];

    private int ShardAt(long token)
    {
        int low = 0, high = _shards.Length - 1;
        while (low < high)
        {
            int middle = (low + high + 1) / 2;
            if (_shards[middle].FirstToken <= token) low = middle;
            else high = middle - 1;
        }
        return low;
    }

    /// <summary>A place among the documents, taken as a circle.</summary>
    internal struct DocumentWalk(TokenShards shards, int shard, long document)
    {
        /// <summary>Index after the last token of the document.</summary>
        public readonly long End => shards._shards[shard].FirstToken + shards._shards[shard].End(document);

        /// <summary>Goes to the next document.</summary>
        public void MoveNext()
        {
            if (++document < shards._shards[shard].Documents) return;
            document = 0;
            if (++shard == shards._shards.Length) shard = 0;
        }
    }

    private static void Check(bool holds, string message)
    {
        if (!holds) throw new InvalidDataException(message);
    }

    private sealed class Shard : IDisposable
    {
        private readonly MappedFile _tokens, _ends;
        private readonly int _tokenBytes;
        private readonly string _path;

        private Shard(string path, TokenShardFile file, int tokenBytes, long firstToken, long firstDocument)
        {
            (_path, _tokenBytes, Tokens, Documents) = (path, tokenBytes, file.Tokens, file.Documents);
            (FirstToken, FirstDocument) = (firstToken, firstDocument);
            _tokens = new MappedFile(path);
            try
            {
                _ends = new MappedFile(path + ".index");
            }
            catch
            {
                _tokens.Dispose();
                throw;
            }
        }

        public long FirstToken { get; }

        public long FirstDocument { get; }

        public long Tokens { get; }

        public long Documents { get; }

        public static Shard Open(
            string folder, TokenShardFile file, TokenShardManifest manifest, bool verify, long firstToken, long firstDocument)
        {
            Check(file.Name == Path.GetFileName(file.Name) && file.Tokens > 0 && file.Documents > 0
                && file.Tokens <= long.MaxValue / 8,
                $"The manifest of {folder} has an impossible entry: {file}.");
            string path = Path.Combine(folder, file.Name);
            CheckFile(path, file.Tokens * manifest.TokenBytes, verify ? file.Sha256 : null);
            CheckFile(path + ".index", file.Documents * 8, verify ? file.IndexSha256 : null);
            var shard = new Shard(path, file, manifest.TokenBytes, firstToken, firstDocument);
            long last = 0;
            for (long document = 0; document < file.Documents; document++)
            {
                long end = shard.End(document);
                if (end > last && end <= file.Tokens)
                {
                    last = end;
                    continue;
                }
                shard.Dispose();
                throw new InvalidDataException(
                    $"{path}.index is damaged: document {document} ends at token {end}, the one before at {last}.");
            }
            if (last == file.Tokens) return shard;
            shard.Dispose();
            throw new InvalidDataException($"{path}.index is damaged: its documents end at token {last} of {file.Tokens}.");
        }

        /// <summary>Which of its documents holds a token of the shard.</summary>
        public long DocumentAt(long token)
        {
            long low = 0, high = Documents - 1; // the first end beyond the token
            while (low < high)
            {
                long middle = (low + high) / 2;
                if (End(middle) > token) high = middle;
                else low = middle + 1;
            }
            return low;
        }

        public long End(long document) => BinaryPrimitives.ReadInt64LittleEndian(_ends.Bytes(document * 8, 8));

        public void Read(long start, Span<int> destination, int vocabSize)
        {
            ReadOnlySpan<byte> bytes = _tokens.Bytes(start * _tokenBytes, checked(destination.Length * _tokenBytes));
            TokenIds.Read(bytes, _tokenBytes, destination);
            int wrong = TokenIds.FirstBeyond(destination, vocabSize);
            if (wrong >= 0)
                throw new InvalidDataException($"{_path} is damaged: token {start + wrong} has id {(uint)destination[wrong]}, " +
                    $"but the vocabulary has {vocabSize}.");
        }

        public void Dispose()
        {
            _tokens.Dispose();
            _ends.Dispose();
        }

        private static void CheckFile(string path, long length, string? digest)
        {
            if (!File.Exists(path)) throw new FileNotFoundException($"{path} is missing. Tokenize again.", path);
            long actual = new FileInfo(path).Length;
            Check(actual == length,
                $"{path} has {actual} bytes, but the manifest says {length}: it was truncated or replaced. Tokenize again.");
            if (digest is null) return;
            using var stream = File.OpenRead(path);
            Check(Convert.ToHexStringLower(SHA256.HashData(stream)) == digest,
                $"{path} is damaged: its SHA-256 is not the one in the manifest. Tokenize again.");
        }
    }

    /// <summary>A read-only mapping of a whole file, also beyond 2 GB.</summary>
    private sealed unsafe class MappedFile : IDisposable
    {
        private readonly MemoryMappedFile _file;
        private readonly MemoryMappedViewAccessor _view;
        private readonly byte* _start;

        public MappedFile(string path)
        {
            _file = MemoryMappedFile.CreateFromFile(path, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
            _view = _file.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
            _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _start);
            _start += _view.PointerOffset;
        }

        public ReadOnlySpan<byte> Bytes(long offset, int count)
        {
            ObjectDisposedException.ThrowIf(_view.SafeMemoryMappedViewHandle.IsClosed, typeof(TokenShards));
            return MemoryMarshal.CreateReadOnlySpan(ref *(_start + offset), count);
        }

        public void Dispose()
        {
            if (_view.SafeMemoryMappedViewHandle.IsClosed) return;
            _view.SafeMemoryMappedViewHandle.ReleasePointer();
            _view.Dispose();
            _file.Dispose();
        }
    }
}

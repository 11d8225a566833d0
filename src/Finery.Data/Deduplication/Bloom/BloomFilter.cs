using System.Numerics;
using Finery.Data.Batches;

namespace Finery.Data.Deduplication.Bloom;

/// <summary>
/// A Bloom filter (Bloom 1970) over 64-bit hashes: k bits of a table of any size are set for each, by double hashing (Kirsch and
/// Mitzenmacher 2006). Bits are addressed by 64-bit numbers.
/// </summary>
internal sealed class BloomFilter
{
    private const int ChunkWords = 1 << 24;

    private readonly ulong[][] _chunks;
    private readonly ulong _bits;

    /// <param name="bytes">Size of the table.</param>
    /// <param name="hashes">Bits for each hash.</param>
    public BloomFilter(long bytes, int hashes)
    {
        var words = Math.Max(1, bytes / sizeof(ulong));
        _bits = (ulong)words * 64;
        Hashes = hashes;
        _chunks = new ulong[(words + ChunkWords - 1) / ChunkWords][];
        for (var i = 0; i < _chunks.Length; i++)
            _chunks[i] = new ulong[Math.Min(ChunkWords, words - (long)i * ChunkWords)];
    }

    /// <summary>Bits for each hash.</summary>
    public int Hashes { get; }

    /// <summary>Share of all bits that are set.</summary>
    public double Fill => _chunks.Sum(c => c.Sum(w => (double)BitOperations.PopCount(w))) / _bits;

    /// <summary>Probability that a hash never added seems to be there, from the share of bits that are set.</summary>
    public double FalsePositiveRate => Math.Pow(Fill, Hashes);

    /// <summary>Best number of bits for each of a number of hashes in a table of a size: m/n ln 2.</summary>
    public static int BestHashes(long bytes, long expected) =>
        (int)Math.Clamp(Math.Round(bytes * 8.0 / expected * Math.Log(2)), 1, 30);

    /// <summary>False-positive rate to expect once a number of hashes was added: (1-e^(-kn/m))^k.</summary>
    public static double ExpectedRate(long bytes, long expected, int hashes) =>
        Math.Pow(1 - Math.Exp(-hashes * (double)expected / (bytes * 8.0)), hashes);

    public bool Contains(ulong hash)
    {
        var step = SeededHash.Mix(hash) | 1;
        for (var i = 0; i < Hashes; i++, hash += step)
        {
            var bit = Math.BigMul(hash, _bits, out _);
            if ((_chunks[bit / 64 / ChunkWords][bit / 64 % ChunkWords] >> (int)(bit & 63) & 1) == 0)
                return false;
        }
        return true;
    }

    public void Add(ulong hash)
    {
        var step = SeededHash.Mix(hash) | 1;
        for (var i = 0; i < Hashes; i++, hash += step)
        {
            var bit = Math.BigMul(hash, _bits, out _);
            _chunks[bit / 64 / ChunkWords][bit / 64 % ChunkWords] |= 1UL << (int)(bit & 63);
        }
    }
}

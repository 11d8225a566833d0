using System.Buffers.Binary;
using System.Runtime.Intrinsics;
using System.Security.Cryptography;
using System.Text;

namespace Finery.Data.Deduplication;

/// <summary>How shingles are hashed.</summary>
public enum ShingleHash
{
    /// <summary>xxHash64, seed 0: fast, the default.</summary>
    XxHash64,

    /// <summary>The first 8 bytes of SHA-1, little-endian: what FineWeb used.</summary>
    Sha1,
}

/// <summary>
/// MinHash signatures (Broder 1997) bit for bit as datatrove 0.10 computes them: hash k of a text is the least
/// <c>((s a_k + b_k) mod 2^64) mod (2^61-1)</c> over the hashes s of its shingles. Thread-safe.
/// </summary>
public sealed class MinHasher
{
    private const ulong Prime = (1UL << 61) - 1;

    private readonly ShingleHash _hash;
    private readonly ulong[] _a;
    private readonly ulong[] _b;

    /// <param name="shingleWords">Words per shingle.</param>
    /// <param name="count">Hashes per signature: buckets times hashes per bucket.</param>
    /// <param name="seed">Of the multipliers.</param>
    /// <param name="hash">Of the shingles.</param>
    public MinHasher(int shingleWords, int count, uint seed, ShingleHash hash = ShingleHash.XxHash64)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(shingleWords, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ShingleWords = shingleWords;
        _hash = hash;
        var random = new MersenneTwister(seed);
        _a = new ulong[count];
        _b = new ulong[count];
        for (var k = 0; k < count; k++)
            _a[k] = random.NextUInt64(1, Prime, Prime);
        for (var k = 0; k < count; k++)
            _b[k] = random.NextUInt64(0, Prime, Prime);
    }

    /// <summary>Words per shingle.</summary>
    public int ShingleWords { get; }

    /// <summary>Hashes per signature.</summary>
    public int Count => _a.Length;

    internal ReadOnlySpan<ulong> Multipliers => _a;

    internal ReadOnlySpan<ulong> Offsets => _b;

    /// <summary>Hashes of all shingles of a text in order, repeats included; none if it has too few words for one.</summary>
    public List<ulong> Shingles(string text)
    {
        var bytes = Encoding.UTF8.GetBytes(SimplifiedText.Of(text));
        // Simplified text is words joined by single spaces, so n words joined by spaces are a slice of it.
        var starts = new List<int>(bytes.Length / 5 + 1);
        if (bytes.Length > 0)
            starts.Add(0);
        for (var i = 0; i < bytes.Length; i++)
            if (bytes[i] == (byte)' ')
                starts.Add(i + 1);
        var shingles = new List<ulong>(Math.Max(0, starts.Count - ShingleWords + 1));
        for (var w = 0; w + ShingleWords <= starts.Count; w++)
        {
            var end = w + ShingleWords < starts.Count ? starts[w + ShingleWords] - 1 : bytes.Length;
            shingles.Add(HashShingle(bytes.AsSpan(starts[w]..end), _hash));
        }
        return shingles;
    }

    /// <summary>The signature of shingles; meaningless (all ones) without any.</summary>
    /// <param name="shingles">Their hashes.</param>
    /// <param name="signature">Receives <see cref="Count"/> values.</param>
    public void Sign(ReadOnlySpan<ulong> shingles, Span<ulong> signature)
    {
        var k = 0;
        if (Vector512.IsHardwareAccelerated)
            for (; k + 8 <= _a.Length; k += 8)
                Sign8(shingles, Vector512.Create(_a, k), Vector512.Create(_b, k)).CopyTo(signature[k..]);
        if (Vector256.IsHardwareAccelerated)
            for (; k + 4 <= _a.Length; k += 4)
                Sign4(shingles, Vector256.Create(_a, k), Vector256.Create(_b, k)).CopyTo(signature[k..]);
        for (; k < _a.Length; k++)
            signature[k] = Sign1(shingles, _a[k], _b[k]);
    }

    private static Vector512<ulong> Sign8(ReadOnlySpan<ulong> shingles, Vector512<ulong> a, Vector512<ulong> b)
    {
        var prime = Vector512.Create(Prime);
        var least = Vector512<ulong>.AllBitsSet;
        foreach (var shingle in shingles)
        {
            var value = Vector512.Create(shingle) * a + b;
            value = (value & prime) + (value >>> 61);
            // Below the prime the subtraction wraps to something huge, so the smaller of the two is the remainder.
            least = Vector512.Min(least, Vector512.Min(value, value - prime));
        }
        return least;
    }

    private static Vector256<ulong> Sign4(ReadOnlySpan<ulong> shingles, Vector256<ulong> a, Vector256<ulong> b)
    {
        var prime = Vector256.Create(Prime);
        var least = Vector256<ulong>.AllBitsSet;
        foreach (var shingle in shingles)
        {
            var value = Vector256.Create(shingle) * a + b;
            value = (value & prime) + (value >>> 61);
            least = Vector256.Min(least, Vector256.Min(value, value - prime));
        }
        return least;
    }

    /// <summary>The plain form, which the vector ones must equal.</summary>
    internal static ulong Sign1(ReadOnlySpan<ulong> shingles, ulong a, ulong b)
    {
        var least = ulong.MaxValue;
        foreach (var shingle in shingles)
            least = Math.Min(least, unchecked(shingle * a + b) % Prime);
        return least;
    }

    private static ulong HashShingle(ReadOnlySpan<byte> shingle, ShingleHash hash)
    {
        if (hash == ShingleHash.XxHash64)
            return XxHash64.Hash(shingle);
        Span<byte> digest = stackalloc byte[SHA1.HashSizeInBytes];
        SHA1.HashData(shingle, digest);
        return BinaryPrimitives.ReadUInt64LittleEndian(digest);
    }
}

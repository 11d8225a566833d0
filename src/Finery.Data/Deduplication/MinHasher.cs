using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

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

    [ThreadStatic]
    private static ShingleBuffer? t_buffer;

    private readonly ShingleHash _hash;
    private readonly bool _tokenize;
    private readonly ulong[] _a;
    private readonly ulong[] _b;

    /// <param name="shingleWords">Words per shingle.</param>
    /// <param name="count">Hashes per signature: buckets times hashes per bucket.</param>
    /// <param name="seed">Of the multipliers.</param>
    /// <param name="hash">Of the shingles.</param>
    public MinHasher(int shingleWords, int count, uint seed, ShingleHash hash = ShingleHash.XxHash64)
        : this(shingleWords, count, seed, hash, 64, false)
    {
    }

    /// <param name="shingleWords">Words per shingle.</param>
    /// <param name="count">Hashes per signature: buckets times hashes per bucket.</param>
    /// <param name="seed">Of the multipliers.</param>
    /// <param name="hash">Of the shingles.</param>
    /// <param name="bits">Of a hash: 64 or 32.</param>
    /// <param name="tokenize">Whether the simplified text is cut into words by <see cref="Filters.Words"/>; otherwise at
    /// spaces alone.</param>
    internal MinHasher(int shingleWords, int count, uint seed, ShingleHash hash, int bits, bool tokenize)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(shingleWords, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        if (bits is not (32 or 64))
            throw new ArgumentOutOfRangeException(nameof(bits), bits, "A hash has 32 or 64 bits.");
        ShingleWords = shingleWords;
        Bits = bits;
        _hash = hash;
        _tokenize = tokenize;
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

    /// <summary>Bits of a hash.</summary>
    internal int Bits { get; }

    internal ReadOnlySpan<ulong> Multipliers => _a;

    internal ReadOnlySpan<ulong> Offsets => _b;

    /// <summary>Hashes of all shingles of a text in order, repeats included; none if it has too few words for one.</summary>
    public List<ulong> Shingles(string text) => [.. Hash(text)];

    /// <summary>The same without a list; valid until this thread hashes another text.</summary>
    internal ReadOnlySpan<ulong> Hash(string text)
    {
        var buffer = t_buffer ??= new ShingleBuffer();
        buffer.Text.Set(text, _tokenize);
        var count = Math.Max(0, buffer.Text.Words - ShingleWords + 1);
        if (buffer.Hashes.Length < count)
            buffer.Hashes = new ulong[Math.Max(count, buffer.Hashes.Length * 2)];
        var hashes = buffer.Hashes;
        if (_hash == ShingleHash.Sha1)
        {
            for (var w = 0; w < count; w++)
                buffer.Sha1.Add(buffer.Text.Slice(w, ShingleWords), hashes, w);
            buffer.Sha1.Finish(hashes);
            if (Bits == 32)
                foreach (ref var hash in hashes.AsSpan(0, count))
                    hash = (uint)hash;
        }
        else if (Bits == 32)
            for (var w = 0; w < count; w++)
                hashes[w] = XxHash32.Hash(buffer.Text.Slice(w, ShingleWords));
        else
            for (var w = 0; w < count; w++)
                hashes[w] = XxHash64.Hash(buffer.Text.Slice(w, ShingleWords));
        return hashes.AsSpan(0, count);
    }

    /// <summary>The signature of shingles; meaningless (all ones) without any.</summary>
    /// <param name="shingles">Their hashes.</param>
    /// <param name="signature">Receives <see cref="Count"/> values.</param>
    public void Sign(ReadOnlySpan<ulong> shingles, Span<ulong> signature)
    {
        var k = 0;
        if (Bits == 32)
        {
            for (; k < _a.Length; k++)
                signature[k] = SignLow(shingles, _a[k], _b[k]);
            return;
        }
        if (Vector512.IsHardwareAccelerated)
            for (; k + 8 <= _a.Length; k += 8)
                Sign8(shingles, Vector512.Create(_a, k), Vector512.Create(_b, k)).CopyTo(signature[k..]);
        if (Avx2.IsSupported)
            for (; k + 8 <= _a.Length; k += 8)
                if (!SignPair(shingles, _a.AsSpan(k, 8), _b.AsSpan(k, 8), signature.Slice(k, 8)))
                    for (var i = k; i < k + 8; i++)
                        signature[i] = Sign1(shingles, _a[i], _b[i]);
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

    /// <summary>
    /// Eight hashes in two vectors without 64-bit multiplication or unsigned comparison, which AVX2 lacks: the product from
    /// three of 32 bits; sums of 61 bits compare as signed numbers.
    /// </summary>
    /// <returns>False if a sum reached the prime, so that it would have had to be subtracted; 1 in 2^55.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool SignPair(
        ReadOnlySpan<ulong> shingles, ReadOnlySpan<ulong> a, ReadOnlySpan<ulong> b, Span<ulong> signature)
    {
        var prime = Vector256.Create(Prime).AsInt64();
        Vector256<ulong> a0 = Vector256.Create(a), a1 = Vector256.Create(a[4..]);
        Vector256<ulong> high0 = a0 >>> 32, high1 = a1 >>> 32;
        Vector256<ulong> b0 = Vector256.Create(b), b1 = Vector256.Create(b[4..]);
        Vector256<long> least0 = Vector256.Create(long.MaxValue), least1 = least0;
        var most = Vector256<long>.Zero;
        for (var i = 0; i < shingles.Length; i++)
        {
            var s = Vector256.Create(shingles[i]);
            var sHigh = s >>> 32;
            var value0 = Reduce(Product(s, sHigh, a0, high0) + b0, prime);
            var value1 = Reduce(Product(s, sHigh, a1, high1) + b1, prime);
            least0 = Avx2.BlendVariable(least0, value0, Avx2.CompareGreaterThan(least0, value0));
            least1 = Avx2.BlendVariable(least1, value1, Avx2.CompareGreaterThan(least1, value1));
            most |= Avx2.CompareGreaterThan(value0, prime - Vector256<long>.One)
                | Avx2.CompareGreaterThan(value1, prime - Vector256<long>.One);
        }
        least0.AsUInt64().CopyTo(signature);
        least1.AsUInt64().CopyTo(signature[4..]);
        return most == Vector256<long>.Zero && shingles.Length > 0;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<ulong> Product(
        Vector256<ulong> s, Vector256<ulong> sHigh, Vector256<ulong> a, Vector256<ulong> aHigh) =>
        Multiply(s, a) + ((Multiply(s, aHigh) + Multiply(sHigh, a)) << 32);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<ulong> Multiply(Vector256<ulong> x, Vector256<ulong> y) => Avx2.Multiply(x.AsUInt32(), y.AsUInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<long> Reduce(Vector256<ulong> value, Vector256<long> prime) =>
        (value.AsInt64() & prime) + (value >>> 61).AsInt64();

    /// <summary>The plain form, which the vector ones must equal.</summary>
    internal static ulong Sign1(ReadOnlySpan<ulong> shingles, ulong a, ulong b)
    {
        var least = ulong.MaxValue;
        foreach (var shingle in shingles)
            least = Math.Min(least, Remainder(unchecked(shingle * a + b)));
        return least;
    }

    /// <summary>The form of 32 bits, of which the remainder's lower half counts.</summary>
    private static ulong SignLow(ReadOnlySpan<ulong> shingles, ulong a, ulong b)
    {
        var least = uint.MaxValue;
        foreach (var shingle in shingles)
            least = Math.Min(least, (uint)Remainder(unchecked(shingle * a + b)));
        return least;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Remainder(ulong value)
    {
        value = (value & Prime) + (value >> 61);
        return value >= Prime ? value - Prime : value;
    }

    private sealed class ShingleBuffer
    {
        public ShingleText Text { get; } = new();

        public Sha1Lanes Sha1 { get; } = new();

        public ulong[] Hashes { get; set; } = [];
    }
}

using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Security.Cryptography;

namespace Finery.Data.Deduplication;

/// <summary>
/// SHA-1 (FIPS 180-4) of many short messages: eight of one block each (up to 55 bytes) in the lanes of a vector; longer ones,
/// and all where there are no such vectors, one by one by the library.
/// </summary>
internal sealed class Sha1Lanes
{
    private const int Lanes = 8;
    private const int BlockBytes = 64;
    private const int MostBytes = 55;

    private readonly uint[] _words = new uint[16 * Lanes];
    private readonly byte[] _block = new byte[BlockBytes];
    private readonly int[] _targets = new int[Lanes];
    private int _filled;

    /// <summary>Hashes a message; its digest's first 8 bytes, little-endian, go to <paramref name="target"/>, perhaps not before
    /// <see cref="Finish"/>.</summary>
    public void Add(ReadOnlySpan<byte> message, ulong[] results, int target)
    {
        if (!Vector256.IsHardwareAccelerated || message.Length > MostBytes)
        {
            Span<byte> digest = stackalloc byte[SHA1.HashSizeInBytes];
            SHA1.HashData(message, digest);
            results[target] = BinaryPrimitives.ReadUInt64LittleEndian(digest);
            return;
        }
        Span<byte> block = _block;
        block.Clear();
        message.CopyTo(block);
        block[message.Length] = 0x80;
        BinaryPrimitives.WriteUInt16BigEndian(block[62..], (ushort)(message.Length * 8));
        ref var words = ref Unsafe.As<byte, uint>(ref block[0]);
        for (var i = 0; i < 16; i++)
            _words[i * Lanes + _filled] = BinaryPrimitives.ReverseEndianness(Unsafe.Add(ref words, i));
        _targets[_filled] = target;
        if (++_filled == Lanes)
            Finish(results);
    }

    /// <summary>Hashes what is left.</summary>
    public void Finish(ulong[] results)
    {
        if (_filled == 0)
            return;
        var (a, b) = Compress(_words);
        for (var i = 0; i < _filled; i++)
            results[_targets[i]] = BinaryPrimitives.ReverseEndianness(((ulong)a[i] << 32) | b[i]);
        _filled = 0;
    }

    /// <summary>The first two words of the digests.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static (Vector256<uint> First, Vector256<uint> Second) Compress(uint[] message)
    {
        Span<Vector256<uint>> w = stackalloc Vector256<uint>[80];
        for (var t = 0; t < 16; t++)
            w[t] = Vector256.Create(message, t * Lanes);
        for (var t = 16; t < 80; t++)
            w[t] = Rotate(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
        Vector256<uint> h0 = Vector256.Create(0x67452301u), h1 = Vector256.Create(0xEFCDAB89u);
        Vector256<uint> a = h0, b = h1, c = Vector256.Create(0x98BADCFEu), d = Vector256.Create(0x10325476u);
        var e = Vector256.Create(0xC3D2E1F0u);
        var k = Vector256.Create(0x5A827999u);
        for (var t = 0; t < 20; t++)
            Step(ref a, ref b, ref c, ref d, ref e, (b & (c ^ d)) ^ d, w[t] + k);
        k = Vector256.Create(0x6ED9EBA1u);
        for (var t = 20; t < 40; t++)
            Step(ref a, ref b, ref c, ref d, ref e, b ^ c ^ d, w[t] + k);
        k = Vector256.Create(0x8F1BBCDCu);
        for (var t = 40; t < 60; t++)
            Step(ref a, ref b, ref c, ref d, ref e, (b & c) | (d & (b | c)), w[t] + k);
        k = Vector256.Create(0xCA62C1D6u);
        for (var t = 60; t < 80; t++)
            Step(ref a, ref b, ref c, ref d, ref e, b ^ c ^ d, w[t] + k);
        return (h0 + a, h1 + b);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step(
        ref Vector256<uint> a, ref Vector256<uint> b, ref Vector256<uint> c, ref Vector256<uint> d, ref Vector256<uint> e,
        Vector256<uint> f, Vector256<uint> added)
    {
        var next = Rotate(a, 5) + f + e + added;
        (e, d, c, b, a) = (d, c, Rotate(b, 30), a, next);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> Rotate(Vector256<uint> x, int bits) => (x << bits) | (x >>> (32 - bits));
}

using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Text;

namespace Finery.Data.Deduplication;

/// <summary>
/// The words of a simplified text as UTF-8, joined by single spaces, so that n words in a row are a slice. Made once per thread
/// and used again.
/// </summary>
internal sealed class ShingleText
{
    // Pieces known to be one word each, by their bytes: 256 KiB of short ones and as much of others, for each thread. Most
    // of a text's words are among the commonest.
    private const int ShortBits = 15;
    private const int LongBits = 14;

    private readonly ulong[] _short = new ulong[1 << ShortBits];
    private readonly UInt128[] _long = new UInt128[1 << LongBits];
    private char[] _simplified = [];
    private byte[] _bytes = new byte[64];
    private int[] _starts = new int[64];

    /// <summary>The words joined by spaces.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes.AsSpan(0, Length);

    /// <summary>Bytes of the words joined by spaces.</summary>
    public int Length { get; private set; }

    /// <summary>Number of words.</summary>
    public int Words { get; private set; }

    /// <summary>Words from <paramref name="first"/>, joined by spaces.</summary>
    public ReadOnlySpan<byte> Slice(int first, int count) => _bytes.AsSpan(_starts[first]..(_starts[first + count] - 1));

    /// <summary>Simplifies a text and cuts it into words.</summary>
    /// <param name="text">As it stands in the document.</param>
    /// <param name="tokenize">Whether pieces between spaces are cut by <see cref="Filters.Words"/>, as the reference does;
    /// otherwise each is a word.</param>
    public void Set(string text, bool tokenize)
    {
        var simplified = SimplifiedText.Write(text, ref _simplified);
        var most = simplified.Length * 3 + 64;
        if (_bytes.Length < most)
            _bytes = new byte[Math.Max(most, _bytes.Length * 2)];
        var length = Encoding.UTF8.GetBytes(simplified, _bytes);
        Length = length;
        FindStarts();
        if (tokenize && NeedsCutting())
        {
            Cut();
            FindStarts();
        }
    }

    private void FindStarts()
    {
        if (_starts.Length < Length / 2 + 3)
            _starts = new int[Math.Max(Length / 2 + 3, _starts.Length * 2)];
        var count = 0;
        if (Length > 0)
            _starts[count++] = 0;
        var i = 0;
        ref var bytes = ref MemoryMarshal.GetArrayDataReference(_bytes);
        if (Vector256.IsHardwareAccelerated)
            // The buffer is longer than the text by more than a vector.
            for (; i < Length; i += 32)
            {
                var found = Vector256.Equals(Vector256.LoadUnsafe(ref bytes, (nuint)i), Vector256.Create((byte)' '));
                var mask = found.ExtractMostSignificantBits();
                if (Length - i < 32)
                    mask &= (1u << (Length - i)) - 1;
                for (; mask != 0; mask &= mask - 1)
                    _starts[count++] = i + BitOperations.TrailingZeroCount(mask) + 1;
            }
        for (; i < Length; i++)
            if (_bytes[i] == ' ')
                _starts[count++] = i + 1;
        Words = count;
        _starts[count] = Length + 1;
    }

    /// <summary>Whether any piece is more than one word.</summary>
    private bool NeedsCutting()
    {
        for (var w = 0; w < Words; w++)
            if (!IsWhole(_starts[w], _starts[w + 1] - 1))
                return true;
        return false;
    }

    /// <summary>Whether a piece is one word. What was asked before is remembered by the bytes themselves.</summary>
    private bool IsWhole(int start, int end)
    {
        var length = end - start;
        if (length > 16)
            return Count(start, end) == 1;
        var bytes = Vector128.LoadUnsafe(ref MemoryMarshal.GetArrayDataReference(_bytes), (nuint)start);
        var low = bytes.AsUInt64()[0];
        if (length <= 8)
        {
            low &= ulong.MaxValue >> (64 - 8 * length);
            return IsKnown(_short, low, (int)((low * 0x9E3779B97F4A7C15) >> (65 - ShortBits)) * 2, start, end);
        }
        var high = bytes.AsUInt64()[1] & (ulong.MaxValue >> (128 - 8 * length));
        return IsKnown(
            _long, new UInt128(high, low),
            (int)(((low ^ BitOperations.RotateLeft(high, 29)) * 0x9E3779B97F4A7C15) >> (65 - LongBits)) * 2, start, end);
    }

    /// <summary>Looks into a set of two, the one used last in front.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool IsKnown<T>(T[] known, T key, int set, int start, int end)
        where T : struct, IEquatable<T>
    {
        if (known[set].Equals(key))
            return true;
        if (!known[set + 1].Equals(key) && Count(start, end) != 1)
            return false;
        (known[set], known[set + 1]) = (key, known[set]);
        return true;
    }

    private int Count(int start, int end) => Filters.Words.Split(Encoding.UTF8.GetString(_bytes, start, end - start)).Count;

    private void Cut()
    {
        var joined = new MemoryStream(Length + 64);
        for (var w = 0; w < Words; w++)
        {
            int start = _starts[w], end = _starts[w + 1] - 1;
            if (IsWhole(start, end))
            {
                Append(joined, _bytes.AsSpan(start, end - start));
                continue;
            }
            var piece = Encoding.UTF8.GetString(_bytes, start, end - start);
            foreach (var word in Filters.Words.Split(piece))
                Append(joined, Encoding.UTF8.GetBytes(piece[word]));
        }
        Length = (int)joined.Length;
        if (_bytes.Length < Length + 64)
            _bytes = new byte[Length + 64];
        joined.GetBuffer().AsSpan(0, Length).CopyTo(_bytes);
    }

    private static void Append(MemoryStream joined, ReadOnlySpan<byte> word)
    {
        if (joined.Length > 0)
            joined.WriteByte((byte)' ');
        joined.Write(word);
    }
}

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Finery.Data.Filters.Segmentation;

/// <summary>The words of a text without what is between them: runs of them are pieces of one string, hashed in constant
/// time.</summary>
internal sealed class PackedWords
{
    private const int Sixteen = 16;
    private const int LongestInTable = 4096;

    // Prefix hashes are polynomials modulo 2^32 (Karp and Rabin 1987). Equal hashes are compared, so that their weakness costs
    // time at worst, and the radix differs from process to process so that no page can be written to make it so.
    private static readonly uint s_radix = (uint)Random.Shared.Next() * 2 + 1;
    private static readonly uint[] s_powers = Powers();
    private static readonly Vector256<ushort>[] s_masks =
        [.. Enumerable.Range(0, Sixteen + 1).Select(length =>
            Vector256.LessThan(Vector256<ushort>.Indices, Vector256.Create((ushort)length)))];

    private char[] _characters = [];
    private uint[] _prefixes = [];
    private int[] _lengths = [];
    private bool _isWide;

    /// <summary>Where each word begins, and where the last one ends.</summary>
    public int[] Offsets { get; private set; } = [];

    /// <summary>Goes on to another text and its words.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Load(ReadOnlySpan<char> text, TextSpans words)
    {
        // Words do not overlap, and a load of sixteen characters goes beyond the last one.
        if (PooledArray.MustGrow(_characters, text.Length + Sixteen + 1))
        {
            _characters = new char[PooledArray.Capacity(text.Length + Sixteen + 1)];
            _prefixes = new uint[_characters.Length];
        }
        if (PooledArray.MustGrow(Offsets, words.Count + 1))
        {
            Offsets = new int[PooledArray.Capacity(words.Count + 1)];
            _lengths = new int[Offsets.Length];
        }
        var end = Pack(text, words);
        _characters.AsSpan(end, Sixteen).Clear();
        ComputePrefixes(end);
        if (_isWide)
            CountCodePoints(words.Count);
    }

    /// <summary>Code points of n words from a place.</summary>
    public int CodePoints(int first, int n) =>
        _isWide ? _lengths[first + n] - _lengths[first] : Offsets[first + n] - Offsets[first];

    /// <summary>Hash of n words from a place, joined by nothing.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong Hash(int first, int n)
    {
        var start = Offsets[first];
        var length = Offsets[first + n] - start;
        return length > LongestInTable
            ? TextHash.Of(_characters.AsSpan(start, length))
            : TextHash.Of((int)(_prefixes[start + length] - _prefixes[start] * s_powers[length]), length);
    }

    /// <summary>Hash of a word, and of the sixteen characters from where it begins.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong HashOfWord(int word, out ulong beginning)
    {
        var start = Offsets[word];
        var length = Offsets[word + 1] - start;
        var sixteen = Load(start);
        beginning = TextHash.Of(sixteen.AsUInt64());
        return length > Sixteen
            ? TextHash.Of(_characters.AsSpan(start, length))
            : TextHash.Of((sixteen & Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(s_masks), length)).AsUInt64());
    }

    /// <summary>Whether two words are equal.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool SameWord(int first, int second)
    {
        int start = Offsets[first], other = Offsets[second];
        var length = Offsets[first + 1] - start;
        if (length != Offsets[second + 1] - other)
            return false;
        if (length > Sixteen)
            return _characters.AsSpan(start, length).SequenceEqual(_characters.AsSpan(other, length));
        var mask = Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(s_masks), length);
        return ((Load(start) ^ Load(other)) & mask) == Vector256<ushort>.Zero;
    }

    /// <summary>Whether n words from two places are equal when joined by nothing.</summary>
    public bool SameRun(int first, int second, int n)
    {
        var length = Offsets[first + n] - Offsets[first];
        return length == Offsets[second + n] - Offsets[second]
            && _characters.AsSpan(Offsets[first], length).SequenceEqual(_characters.AsSpan(Offsets[second], length));
    }

    private Vector256<ushort> Load(int start) => Load(ref MemoryMarshal.GetArrayDataReference(_characters), start);

    private static Vector256<ushort> Load(ref char characters, int start) =>
        Vector256.LoadUnsafe(ref Unsafe.As<char, ushort>(ref characters), (nuint)start);

    private int Pack(ReadOnlySpan<char> text, TextSpans words)
    {
        var starts = words.Starts;
        var ends = words.Ends;
        var flags = words.Flags;
        ref var characters = ref Unsafe.As<char, ushort>(ref MemoryMarshal.GetArrayDataReference(_characters));
        int offset = 0, all = 0;
        for (var w = 0; w < starts.Length; w++)
        {
            var (start, length) = (starts[w], ends[w] - starts[w]);
            // Room for sixteen on either side: one copy of a fixed size, of which the next word overwrites the rest.
            if (length <= Sixteen && start + Sixteen <= text.Length)
                Load(ref MemoryMarshal.GetReference(text), start).StoreUnsafe(ref characters, (nuint)offset);
            else
                text.Slice(start, length).CopyTo(_characters.AsSpan(offset));
            offset += length;
            all |= flags[w];
            Offsets[w + 1] = offset;
        }
        _isWide = (all & (int)WordFlags.Surrogate) != 0;
        return offset;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void ComputePrefixes(int end)
    {
        ref var character = ref MemoryMarshal.GetArrayDataReference(_characters);
        ref var prefix = ref MemoryMarshal.GetArrayDataReference(_prefixes);
        uint r1 = s_radix, r2 = r1 * r1, r3 = r2 * r1, r4 = r2 * r2;
        var hash = prefix = 0;
        var i = 0;
        // Four at a time: one product in the chain instead of four.
        for (; i + 4 <= end; i += 4)
        {
            uint a = Unsafe.Add(ref character, i), b = Unsafe.Add(ref character, i + 1);
            uint c = Unsafe.Add(ref character, i + 2), d = Unsafe.Add(ref character, i + 3);
            Unsafe.Add(ref prefix, i + 1) = hash * r1 + a;
            Unsafe.Add(ref prefix, i + 2) = hash * r2 + (a * r1 + b);
            Unsafe.Add(ref prefix, i + 3) = hash * r3 + (a * r2 + b * r1 + c);
            Unsafe.Add(ref prefix, i + 4) = hash = hash * r4 + (a * r3 + b * r2 + c * r1 + d);
        }
        for (; i < end; i++)
            Unsafe.Add(ref prefix, i + 1) = hash = hash * r1 + Unsafe.Add(ref character, i);
    }

    private void CountCodePoints(int count)
    {
        for (var w = 0; w < count; w++)
            _lengths[w + 1] = _lengths[w] + CharacterSets.Length(_characters.AsSpan(Offsets[w]..Offsets[w + 1]));
    }

    private static uint[] Powers()
    {
        var powers = new uint[LongestInTable + 1];
        powers[0] = 1;
        for (var i = 1; i < powers.Length; i++)
            powers[i] = powers[i - 1] * s_radix;
        return powers;
    }
}

using System.Text;

namespace Finery.Data.Tokenizers;

/// <summary>An immutable set of Unicode code points, tested against UTF-8 text.</summary>
internal sealed class CodePointSet
{
    private const int End = 0x110000, PlaneSize = 0x10000;

    public static readonly CodePointSet Empty = new([]), All = new([0, End]);

    // ascending places where membership changes: [from, to) pairs laid end to end
    private readonly int[] _bounds;
    private readonly bool[] _ascii = new bool[128];
    private ulong[]? _plane; // a bit for each code point of the Basic Multilingual Plane, made when first needed

    private CodePointSet(int[] bounds)
    {
        _bounds = bounds;
        for (int c = 0; c < _ascii.Length; c++) _ascii[c] = Search(c);
    }

    /// <summary>The only member, or null where there are none or several or it is a surrogate, which no text holds.</summary>
    public int? Single =>
        _bounds.Length == 2 && _bounds[1] == _bounds[0] + 1 && Rune.IsValid(_bounds[0]) ? _bounds[0] : null;

    /// <summary>The members as ranges, both ends included.</summary>
    public IEnumerable<(int From, int To)> Ranges => _bounds.Chunk(2).Select(pair => (pair[0], pair[1] - 1));

    public static CodePointSet Of(int from, int to) => new([from, to + 1]);

    /// <summary>The union of ranges in any order.</summary>
    public static CodePointSet OfRanges(IEnumerable<(int From, int To)> ranges)
    {
        var bounds = new List<int>();
        foreach ((int from, int to) in ranges.OrderBy(range => range.From))
        {
            if (bounds.Count > 0 && from <= bounds[^1]) bounds[^1] = Math.Max(bounds[^1], to + 1);
            else bounds.AddRange([from, to + 1]);
        }
        return new([.. bounds]);
    }

    public CodePointSet Union(CodePointSet other) =>
        _bounds.Length == 0 ? other : other._bounds.Length == 0 ? this : Combine(this, other, (a, b) => a | b);

    public CodePointSet Intersect(CodePointSet other) => Combine(this, other, (a, b) => a & b);

    public CodePointSet Negate() => Combine(this, All, (a, b) => !a & b);

    public bool Contains(int codePoint)
    {
        if (codePoint < 128) return _ascii[codePoint];
        if (codePoint >= PlaneSize) return Search(codePoint);
        ulong[] plane = _plane ??= BuildPlane();
        return (plane[codePoint >> 6] >> (codePoint & 63) & 1) != 0;
    }

    /// <summary>Whether a member stands at <paramref name="at"/>.</summary>
    public bool IsAt(ReadOnlySpan<byte> utf8, int at) => TryTake(utf8, ref at);

    /// <summary>Steps over the code point at <paramref name="at"/> if it is a member.</summary>
    public bool TryTake(ReadOnlySpan<byte> utf8, ref int at)
    {
        if ((uint)at >= (uint)utf8.Length) return false;
        byte first = utf8[at];
        if (first < 128)
        {
            if (!_ascii[first]) return false;
            at++;
            return true;
        }
        Rune.DecodeFromUtf8(utf8[at..], out Rune rune, out int length);
        if (!Contains(rune.Value)) return false;
        at += length;
        return true;
    }

    /// <summary>Steps over members, <paramref name="most"/> of them at most; returns how many.</summary>
    public int TakeRun(ReadOnlySpan<byte> utf8, ref int at, int most)
    {
        int taken = 0, i = at;
        while (taken < most)
        {
            if ((uint)i < (uint)utf8.Length && utf8[i] is < 128 and var first)
            {
                if (!_ascii[first]) break;
                i++;
            }
            else if (!TryTake(utf8, ref i))
            {
                break;
            }
            taken++;
        }
        at = i;
        return taken;
    }

    private static CodePointSet Combine(CodePointSet a, CodePointSet b, Func<bool, bool, bool> keep)
    {
        int[] left = a._bounds, right = b._bounds;
        var bounds = new List<int>(left.Length + right.Length);
        bool inLeft = false, inRight = false;
        for (int i = 0, j = 0; i < left.Length || j < right.Length;)
        {
            int at = Math.Min(i < left.Length ? left[i] : End, j < right.Length ? right[j] : End);
            if (i < left.Length && left[i] == at) (inLeft, i) = (!inLeft, i + 1);
            if (j < right.Length && right[j] == at) (inRight, j) = (!inRight, j + 1);
            if (keep(inLeft, inRight) != (bounds.Count % 2 == 1)) bounds.Add(at);
        }
        return new([.. bounds]);
    }

    private bool Search(int codePoint)
    {
        int index = Array.BinarySearch(_bounds, codePoint);
        return (index < 0 ? ~index : index + 1) % 2 == 1;
    }

    private ulong[] BuildPlane()
    {
        var plane = new ulong[PlaneSize / 64];
        foreach ((int from, int to) in Ranges)
        {
            for (int c = from; c <= to && c < PlaneSize; c++) plane[c >> 6] |= 1UL << (c & 63);
        }
        return plane;
    }
}

using System.Runtime.InteropServices;
using Finery.Data.Deduplication;

namespace Finery.Data.Filters.Urls;

/// <summary>
/// A set of strings kept as sorted 64-bit hashes, 8 bytes each: block lists have millions of entries. A string not in it is taken
/// for one that is with probability count / 2^64.
/// </summary>
internal sealed class HashedStrings
{
    private readonly ulong[] _hashes;

    public HashedStrings(IEnumerable<string> strings)
    {
        var hashes = new List<ulong>();
        foreach (var text in strings)
            hashes.Add(Hash(text));
        hashes.Sort();
        _hashes = [.. hashes.Where((h, i) => i == 0 || h != hashes[i - 1])];
    }

    public int Count => _hashes.Length;

    public bool Contains(ReadOnlySpan<char> text) => _hashes.Length > 0 && Array.BinarySearch(_hashes, Hash(text)) >= 0;

    private static ulong Hash(ReadOnlySpan<char> text) => XxHash64.Hash(MemoryMarshal.AsBytes(text));
}

using System.Numerics;

namespace Finery.Data.Tokenizers;

/// <summary>Lists of words, of fixed length each, in few large arrays: blocks in steps of about a third, reused when freed. No
/// block for a list of one: see <see cref="PairCounts.Pair"/>.</summary>
internal sealed class WordLists
{
    private const int PageBits = 20, PageSize = 1 << PageBits, MostPages = 1 << (31 - PageBits), None = -1;

    private readonly List<int[]> _pages = []; // a block longer than a page has an array of its own
    private readonly Stack<int> _freePages = [];
    private readonly int[] _freeBlocks = new int[64]; // by size class; a free block begins with the next one
    private int _page = None, _used = PageSize;

    public WordLists() => Array.Fill(_freeBlocks, None);

    /// <summary>A block for <paramref name="length"/> words, at least 2.</summary>
    public int Allocate(int length)
    {
        int sizeClass = ClassOf(length), size = SizeOf(sizeClass);
        if (size > PageSize) return NewPage(length) << PageBits;
        int block = _freeBlocks[sizeClass];
        if (block != None)
        {
            _freeBlocks[sizeClass] = Block(block, 1)[0];
            return block;
        }
        if (_used + size > PageSize) (_page, _used) = (NewPage(PageSize), 0);
        block = (_page << PageBits) | _used;
        _used += size;
        return block;
    }

    /// <summary>Words of a block.</summary>
    public Span<int> Block(int block, int length) => _pages[block >> PageBits].AsSpan(block & (PageSize - 1), length);

    /// <summary>The array that holds a block, and where it begins.</summary>
    public (int[] Page, int Offset) Place(int block) => (_pages[block >> PageBits], block & (PageSize - 1));

    /// <summary>Takes back a block that was allocated for <paramref name="length"/> words.</summary>
    public void Free(int block, int length)
    {
        int sizeClass = ClassOf(length);
        if (SizeOf(sizeClass) > PageSize)
        {
            _pages[block >> PageBits] = [];
            _freePages.Push(block >> PageBits);
            return;
        }
        Block(block, 1)[0] = _freeBlocks[sizeClass];
        _freeBlocks[sizeClass] = block;
    }

    private int NewPage(int size)
    {
        var page = GC.AllocateUninitializedArray<int>(size);
        if (_freePages.TryPop(out int number))
        {
            _pages[number] = page;
            return number;
        }
        if (_pages.Count == MostPages)
            throw new InvalidDataException(
                "The corpus has too many distinct chunks: lower MaxMemory, MaxDocumentChars or MaxCorpusChars.");
        _pages.Add(page);
        return _pages.Count - 1;
    }

    // 2, 3, 4, 6, 8, 12, 16, 24, ...
    private static int SizeOf(int sizeClass) => (sizeClass & 1) == 0 ? 2 << (sizeClass / 2) : 3 << (sizeClass / 2);

    private static int ClassOf(int length)
    {
        int bits = BitOperations.Log2((uint)(length - 1) | 1); // 2^bits < length <= 2^(bits + 1)
        int sizeClass = 2 * bits;
        return bits > 0 && length <= 3 << (bits - 1) ? sizeClass - 1 : sizeClass;
    }
}

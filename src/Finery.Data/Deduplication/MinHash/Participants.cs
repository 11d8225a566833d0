using System.Numerics;

namespace Finery.Data.Deduplication.MinHash;

/// <summary>
/// The documents that occur in any pair, numbered 1, 2, ... in the order of the corpus: one bit for each document of the corpus
/// and a count for each 512 of them. Number 0 is free for what is no document.
/// </summary>
internal sealed class Participants(long documents)
{
    private const int WordsPerCount = 8;

    private readonly ulong[] _bits = new ulong[(documents + 63) / 64 + WordsPerCount];
    private long[] _before = [];

    /// <summary>Bytes for that many documents of a corpus.</summary>
    public static long MemoryBytes(long documents) => documents / 8 + documents / 64;

    /// <summary>How many there are, once counted.</summary>
    public long Count { get; private set; }

    /// <summary>Adds a document; safe from any thread.</summary>
    public void Add(long document)
    {
        ref var word = ref _bits[document >> 6];
        var bit = 1UL << (int)(document & 63);
        if ((Volatile.Read(ref word) & bit) == 0)
            Interlocked.Or(ref word, bit);
    }

    /// <summary>Numbers them. None may be added afterwards.</summary>
    public void Number()
    {
        _before = new long[_bits.Length / WordsPerCount + 1];
        long count = 0;
        for (var i = 0; i < _bits.Length; i++)
        {
            if (i % WordsPerCount == 0)
                _before[i / WordsPerCount] = count;
            count += BitOperations.PopCount(_bits[i]);
        }
        Count = count;
    }

    /// <summary>Number of a document.</summary>
    public long NumberOf(long document)
    {
        var word = document >> 6;
        var number = _before[word / WordsPerCount] + 1;
        for (var i = word / WordsPerCount * WordsPerCount; i < word; i++)
            number += BitOperations.PopCount(_bits[i]);
        return number + BitOperations.PopCount(_bits[word] & ((1UL << (int)(document & 63)) - 1));
    }

    /// <summary>The documents in order of their numbers.</summary>
    public IEnumerable<long> All()
    {
        for (var i = 0; i < _bits.Length; i++)
            for (var word = _bits[i]; word != 0; word &= word - 1)
                yield return i * 64L + BitOperations.TrailingZeroCount(word);
    }
}

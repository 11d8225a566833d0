using System.Numerics;

namespace Finery.Data.Batches;

/// <summary>Best-fit decreasing, as in TRL's <c>bfd</c>: lengths in descending order (stable), each to the row with the smallest
/// room that is enough, the row longest in that state first; else to a new row.</summary>
public static class BestFitPacking
{
    /// <summary>Packs items into rows of <paramref name="capacity"/>.</summary>
    /// <param name="lengths">Length of each item, at most <paramref name="capacity"/>; items of length 0 are left out.</param>
    /// <param name="capacity">Tokens of a row.</param>
    /// <returns>For each row the indexes of its items, in order.</returns>
    /// <exception cref="ArgumentException">A length is negative or beyond the capacity.</exception>
    public static IReadOnlyList<IReadOnlyList<int>> Pack(ReadOnlySpan<int> lengths, int capacity)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(capacity);
        var order = new List<int>(lengths.Length);
        var keys = lengths.ToArray();
        for (int i = 0; i < keys.Length; i++)
        {
            if (keys[i] < 0 || keys[i] > capacity)
                throw new ArgumentException($"Item {i} has length {keys[i]}; rows hold {capacity}.");
            if (keys[i] > 0) order.Add(i);
        }

        var rows = new List<List<int>>();
        var waiting = new Queue<int>?[capacity + 1]; // rows by the room they have left
        var filled = new ulong[(capacity / 64) + 1]; // which of these queues are not empty
        foreach (int item in order.OrderByDescending(i => keys[i]))
        {
            int length = keys[item], room = NextSet(filled, length), row;
            if (room < 0)
            {
                (row, room) = (rows.Count, capacity);
                rows.Add([]);
            }
            else
            {
                row = waiting[room]!.Dequeue();
                if (waiting[room]!.Count == 0) filled[room >> 6] &= ~(1UL << (room & 63));
            }
            rows[row].Add(item);
            int left = room - length;
            (waiting[left] ??= []).Enqueue(row);
            filled[left >> 6] |= 1UL << (left & 63);
        }
        return rows;
    }

    /// <summary>First set bit at or after <paramref name="from"/>, or -1.</summary>
    private static int NextSet(ulong[] bits, int from)
    {
        ulong word = bits[from >> 6] & (ulong.MaxValue << (from & 63));
        for (int i = from >> 6; ;)
        {
            if (word != 0) return (i << 6) + BitOperations.TrailingZeroCount(word);
            if (++i == bits.Length) return -1;
            word = bits[i];
        }
    }
}

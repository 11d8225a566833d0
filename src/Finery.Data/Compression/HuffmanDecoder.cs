using System.Numerics;
using System.Runtime.CompilerServices;

namespace Finery.Data.Compression;

/// <summary>Huffman codes of the literals of a Zstandard block (RFC 8878, section 4.2). The table is kept for blocks that refer
/// to the one before.</summary>
internal sealed class HuffmanDecoder
{
    private readonly ushort[] _cells = new ushort[1 << ZstdFormat.MaxHuffmanBits];
    private int _log;

    /// <summary>Whether there is a table.</summary>
    public bool IsReady => _log > 0;

    /// <summary>Forgets the table: a new frame begins.</summary>
    public void Reset() => _log = 0;

    /// <summary>Reads a description of the codes.</summary>
    /// <returns>Bytes it took.</returns>
    /// <exception cref="InvalidDataException">It is damaged.</exception>
    public int ReadTree(ReadOnlySpan<byte> source)
    {
        Span<byte> weights = stackalloc byte[256];
        if (source.IsEmpty)
            throw Damaged();
        int taken, count;
        if (source[0] >= 128)
        {
            count = source[0] - 127;
            taken = 1 + (count + 1) / 2;
            if (taken > source.Length)
                throw Damaged();
            for (var i = 0; i < count; i++)
                weights[i] = (byte)((i & 1) == 0 ? source[1 + i / 2] >> 4 : source[1 + i / 2] & 15);
        }
        else
        {
            taken = 1 + source[0];
            if (taken > source.Length)
                throw Damaged();
            count = ReadWeights(source[1..taken], weights);
        }
        Build(weights, count);
        return taken;
    }

    private static int ReadWeights(ReadOnlySpan<byte> source, Span<byte> weights)
    {
        Span<short> counts = stackalloc short[16];
        var header = FseDistribution.Read(source, counts, ZstdFormat.MaxWeightLog, out var log);
        Span<byte> symbols = stackalloc byte[1 << log];
        FseDistribution.Spread(counts, log, symbols);
        Span<byte> widths = stackalloc byte[1 << log];
        Span<byte> bases = stackalloc byte[1 << log];
        for (var state = 0; state < symbols.Length; state++)
        {
            var x = Math.Abs(counts[symbols[state]]);
            counts[symbols[state]] = (short)(x + 1);
            widths[state] = (byte)(log - BitOperations.Log2((uint)x));
            bases[state] = (byte)((x << widths[state]) - (1 << log));
        }
        source = source[header..];
        if (source.IsEmpty || source[^1] == 0)
            throw Damaged();
        var position = source.Length * 8 - 1 - BitOperations.LeadingZeroCount((uint)source[^1]) + 24;
        var first = Take(source, ref position, log);
        var second = Take(source, ref position, log);
        if (position < 0)
            throw Damaged();
        for (var count = 0; count < 254;)
        {
            weights[count++] = symbols[first];
            if (position < widths[first])
            {
                weights[count++] = symbols[second];
                return count;
            }
            var next = bases[first] + Take(source, ref position, widths[first]);
            (first, second) = (second, next);
        }
        throw Damaged();
    }

    private static int Take(ReadOnlySpan<byte> source, ref int position, int count)
    {
        position -= count;
        var value = 0;
        for (var i = 0; i < count; i++)
        {
            var at = position + i;
            if (at >= 0)
                value |= ((source[at >> 3] >> (at & 7)) & 1) << i;
        }
        return value;
    }

    private void Build(Span<byte> weights, int count)
    {
        var sum = 0;
        foreach (var weight in weights[..count])
        {
            if (weight > ZstdFormat.MaxHuffmanBits)
                throw Damaged();
            sum += (1 << weight) >> 1;
        }
        if (sum == 0)
            throw Damaged();
        var log = BitOperations.Log2((uint)sum) + 1;
        var rest = (1 << log) - sum;
        if (log > ZstdFormat.MaxHuffmanBits || !BitOperations.IsPow2(rest))
            throw Damaged();
        weights[count++] = (byte)(BitOperations.Log2((uint)rest) + 1);
        var position = 0;
        for (var weight = 1; weight <= log; weight++)
            for (var symbol = 0; symbol < count; symbol++)
                if (weights[symbol] == weight)
                {
                    var span = 1 << (weight - 1);
                    _cells.AsSpan(position, span).Fill((ushort)(((log + 1 - weight) << 8) | symbol));
                    position += span;
                }
        _log = log;
    }

    /// <summary>Decodes one stream.</summary>
    /// <param name="source">Start of the stream; the 64 bytes before it must be readable.</param>
    /// <param name="length">Its bytes.</param>
    /// <param name="target">Where the literals go.</param>
    /// <param name="count">How many there are.</param>
    public unsafe void DecodeOne(byte* source, int length, byte* target, int count)
    {
        fixed (ushort* cells = _cells)
            Finish(cells, source, BackwardBits.Start(source, length), target, count);
    }

    /// <summary>Decodes four streams, whose lengths stand in the first six bytes.</summary>
    /// <inheritdoc cref="DecodeOne"/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public unsafe void DecodeFour(byte* source, int length, byte* target, int count)
    {
        if (length < 10)
            throw Damaged();
        int length1 = *(ushort*)source, length2 = *(ushort*)(source + 2), length3 = *(ushort*)(source + 4);
        var length4 = length - 6 - length1 - length2 - length3;
        var quarter = (count + 3) / 4;
        var last = count - 3 * quarter;
        if (length4 <= 0 || last < 0)
            throw Damaged();
        byte* s1 = source + 6, s2 = s1 + length1, s3 = s2 + length2, s4 = s3 + length3;
        byte* t1 = target, t2 = t1 + quarter, t3 = t2 + quarter, t4 = t3 + quarter;
        long p1 = BackwardBits.Start(s1, length1), p2 = BackwardBits.Start(s2, length2);
        long p3 = BackwardBits.Start(s3, length3), p4 = BackwardBits.Start(s4, length4);
        var shift = 64 - _log;
        var done = 0;
        fixed (ushort* cells = _cells)
        {
            // Five codes of at most 11 bits fit in the 57 that a load is sure to give.
            for (; done + 5 <= last; done += 5)
            {
                ulong b1 = BackwardBits.Load(s1, p1), b2 = BackwardBits.Load(s2, p2);
                ulong b3 = BackwardBits.Load(s3, p3), b4 = BackwardBits.Load(s4, p4);
                for (var i = 0; i < 5; i++)
                {
                    uint c1 = cells[b1 >> shift], c2 = cells[b2 >> shift], c3 = cells[b3 >> shift], c4 = cells[b4 >> shift];
                    t1[done + i] = (byte)c1;
                    t2[done + i] = (byte)c2;
                    t3[done + i] = (byte)c3;
                    t4[done + i] = (byte)c4;
                    b1 <<= (int)(c1 >> 8);
                    b2 <<= (int)(c2 >> 8);
                    b3 <<= (int)(c3 >> 8);
                    b4 <<= (int)(c4 >> 8);
                    p1 -= c1 >> 8;
                    p2 -= c2 >> 8;
                    p3 -= c3 >> 8;
                    p4 -= c4 >> 8;
                }
                if ((p1 | p2 | p3 | p4) < 0)
                    throw Damaged();
            }
            Finish(cells, s1, p1, t1 + done, quarter - done);
            Finish(cells, s2, p2, t2 + done, quarter - done);
            Finish(cells, s3, p3, t3 + done, quarter - done);
            Finish(cells, s4, p4, t4 + done, last - done);
        }
    }

    private unsafe void Finish(ushort* cells, byte* source, long position, byte* target, int count)
    {
        for (var i = 0; i < count; i++)
        {
            if (position < 0)
                throw Damaged();
            uint cell = cells[BackwardBits.Load(source, position) >> (64 - _log)];
            target[i] = (byte)cell;
            position -= cell >> 8;
        }
        if (position != 0)
            throw Damaged();
    }

    private static InvalidDataException Damaged() =>
        new("Damaged zstd block: its Huffman codes or the literals in them are wrong.");
}

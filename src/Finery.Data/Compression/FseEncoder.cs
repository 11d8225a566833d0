using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Finery.Data.Compression;

/// <summary>An encoding table of a finite state entropy code, and how its distribution is chosen and written.</summary>
internal sealed class FseEncoder
{
    private readonly ushort[] _states;
    private readonly int[] _widthDeltas;
    private readonly int[] _stateDeltas;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public FseEncoder(ReadOnlySpan<short> counts, int log)
    {
        Log = log;
        _states = new ushort[1 << log];
        _widthDeltas = new int[counts.Length];
        _stateDeltas = new int[counts.Length];
        Span<byte> symbols = stackalloc byte[1 << log];
        FseDistribution.Spread(counts, log, symbols);
        Span<int> next = stackalloc int[counts.Length];
        var total = 0;
        for (var s = 0; s < counts.Length; s++)
        {
            next[s] = total;
            var count = Math.Abs(counts[s]);
            if (count == 0)
                continue;
            var width = count == 1 ? log : log - BitOperations.Log2((uint)count - 1);
            _widthDeltas[s] = (width << 16) - (count << width);
            _stateDeltas[s] = total - count;
            total += count;
        }
        for (var state = 0; state < symbols.Length; state++)
            _states[next[symbols[state]]++] = (ushort)((1 << log) + state);
    }

    public int Log { get; }

    public static FseEncoder DefaultLiteralLengths { get; } = new(ZstdFormat.DefaultLiteralLengths, ZstdFormat.DefaultLengthLog);

    public static FseEncoder DefaultMatchLengths { get; } = new(ZstdFormat.DefaultMatchLengths, ZstdFormat.DefaultLengthLog);

    public static FseEncoder DefaultOffsets { get; } = new(ZstdFormat.DefaultOffsets, ZstdFormat.DefaultOffsetLog);

    /// <summary>The state that stands for the last symbol, which is encoded first.</summary>
    public int First(int symbol)
    {
        var width = (_widthDeltas[symbol] + (1 << 15)) >> 16;
        var value = (width << 16) - _widthDeltas[symbol];
        return _states[(value >> width) + _stateDeltas[symbol]];
    }

    /// <summary>A code of one symbol, which takes no bits.</summary>
    public static FseEncoder Of(int symbol)
    {
        Span<short> counts = stackalloc short[symbol + 1];
        counts.Clear();
        counts[symbol] = 1;
        return new FseEncoder(counts, 0);
    }

    /// <summary>Encodes a symbol of the distribution: the bits of the old state that the decoder will need, and the new
    /// state.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Encode(ref BitWriter bits, ref int state, int symbol)
    {
        // Symbols were counted to make the table: none lies outside it.
        var width = (state + Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_widthDeltas), symbol)) >> 16;
        bits.Add((uint)state & ((1u << width) - 1), width);
        state = Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_states),
            (state >> width) + Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_stateDeltas), symbol));
    }

    /// <summary>Tells the decoder where to begin.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Flush(ref BitWriter bits, int state) => bits.Add((uint)state & ((1u << Log) - 1), Log);

    /// <summary>Probabilities that fit the counts, of which at least two are not 0.</summary>
    /// <returns>Log of the number of states.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static int Normalise(ReadOnlySpan<int> counts, int total, int maxLog, Span<short> probabilities)
    {
        var used = counts.Length - counts.Count(0);
        var log = Math.Clamp(BitOperations.Log2((uint)Math.Max(total - 1, 1)) - 2, 5, maxLog);
        log = Math.Max(log, Math.Min(maxLog, BitOperations.Log2((uint)used) + 1));
        var size = 1 << log;
        var remaining = size;
        for (var s = 0; s < counts.Length; s++)
        {
            var scaled = (long)counts[s] * size;
            probabilities[s] = counts[s] == 0 ? (short)0 : scaled < total ? (short)-1 : (short)((scaled + total / 2) / total);
            remaining -= Math.Abs(probabilities[s]);
        }
        while (remaining != 0)
        {
            var largest = 0;
            for (var s = 1; s < probabilities.Length; s++)
                if (probabilities[s] > probabilities[largest])
                    largest = s;
            // Taking much from one symbol costs more than a little from several.
            var change = remaining > 0 ? remaining : -Math.Min(-remaining, Math.Max(1, probabilities[largest] / 8));
            probabilities[largest] += (short)change;
            remaining -= change;
        }
        return log;
    }

    /// <summary>Writes a distribution as <see cref="FseDistribution.Read"/> reads it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static unsafe byte* Write(byte* target, ReadOnlySpan<short> probabilities, int log)
    {
        var bits = new BitWriter(target);
        bits.Add((uint)(log - 5), 4);
        var remaining = 1 << log;
        for (var s = 0; remaining > 0; s++)
        {
            var largest = remaining + 1;
            var width = 32 - BitOperations.LeadingZeroCount((uint)largest);
            var low = (1 << width) - 1 - largest;
            var value = probabilities[s] + 1;
            remaining -= Math.Abs(probabilities[s]);
            if (value < low)
                bits.Add((uint)value, width - 1);
            else
                bits.Add((uint)(value < 1 << (width - 1) ? value : value + low), width);
            if (probabilities[s] == 0)
            {
                var zeros = 0;
                while (probabilities[s + 1] == 0)
                {
                    s++;
                    zeros++;
                }
                for (; zeros >= 3; zeros -= 3)
                {
                    bits.Add(3, 2);
                    bits.Flush();
                }
                bits.Add((uint)zeros, 2);
            }
            bits.Flush();
        }
        return bits.End();
    }
}

using System.Numerics;

namespace Finery.Data.Compression;

/// <summary>
/// A decoding table of literal lengths, match lengths or offsets. A cell holds, from the lowest bit: 16 bits baseline of the next
/// state, 8 bits width of what is added to it, 8 bits number of extra bits, 32 bits value of the code.
/// </summary>
internal sealed class SequenceTable
{
    public static readonly SequenceTable DefaultLiteralLengths =
        new(ZstdFormat.DefaultLiteralLengths, ZstdFormat.DefaultLengthLog, SequenceCode.LiteralLength);

    public static readonly SequenceTable DefaultMatchLengths =
        new(ZstdFormat.DefaultMatchLengths, ZstdFormat.DefaultLengthLog, SequenceCode.MatchLength);

    public static readonly SequenceTable DefaultOffsets =
        new(ZstdFormat.DefaultOffsets, ZstdFormat.DefaultOffsetLog, SequenceCode.Offset);

    public SequenceTable(ReadOnlySpan<short> counts, int log, SequenceCode code)
    {
        Log = log;
        Cells = new ulong[1 << log];
        Span<byte> symbols = stackalloc byte[1 << log];
        FseDistribution.Spread(counts, log, symbols);
        Span<int> next = stackalloc int[counts.Length];
        for (var s = 0; s < counts.Length; s++)
            next[s] = Math.Abs(counts[s]);
        for (var state = 0; state < symbols.Length; state++)
        {
            var x = next[symbols[state]]++;
            var width = log - BitOperations.Log2((uint)x);
            Cells[state] = Cell(code, symbols[state]) | ((uint)width << 16) | (uint)((x << width) - (1 << log));
        }
    }

    /// <summary>A table of one state.</summary>
    public SequenceTable(byte symbol, SequenceCode code) => Cells = [Cell(code, symbol)];

    public int Log { get; }

    public ulong[] Cells { get; }

    private static ulong Cell(SequenceCode code, int symbol) => code switch
    {
        SequenceCode.LiteralLength when symbol < ZstdFormat.LiteralLengthCodes =>
            ((ulong)ZstdFormat.LiteralLengthBases[symbol] << 32) | ((uint)ZstdFormat.LiteralLengthBits[symbol] << 24),
        SequenceCode.MatchLength when symbol < ZstdFormat.MatchLengthCodes =>
            ((ulong)ZstdFormat.MatchLengthBases[symbol] << 32) | ((uint)ZstdFormat.MatchLengthBits[symbol] << 24),
        SequenceCode.Offset when symbol < ZstdFormat.OffsetCodes => (1UL << symbol << 32) | ((uint)symbol << 24),
        _ => throw new InvalidDataException($"Damaged zstd block: {code} code {symbol} does not exist."),
    };
}

/// <summary>What a code of a sequence stands for.</summary>
internal enum SequenceCode
{
    LiteralLength,
    Offset,
    MatchLength,
}

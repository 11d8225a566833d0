using System.Numerics;
using System.Runtime.CompilerServices;

namespace Finery.Data.Compression;

/// <summary>The sequences of one block as they are found, and their encoding (RFC 8878, section 3.1.1.3.2).</summary>
internal sealed unsafe class ZstdSequences
{
    private const int MaxCount = ZstdFormat.MaxBlockBytes / 3 + 8;

    private static readonly byte[] s_matchCodes = ShortMatchCodes();

    private readonly Sequence[] _sequences = new Sequence[MaxCount];
    private readonly byte[] _literalCodes = new byte[MaxCount];
    private readonly byte[] _matchCodes = new byte[MaxCount];
    private readonly byte[] _offsetCodes = new byte[MaxCount];

    private int Count { get; set; }

    /// <summary>Where sequences are put, from the first on, before <see cref="Write"/>.</summary>
    public Sequence[] Items => _sequences;

    /// <summary>Writes the sequences section.</summary>
    /// <param name="target">Where to.</param>
    /// <param name="count">Sequences in <see cref="Items"/>.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public byte* Write(byte* target, int count)
    {
        Count = count;
        if (Count < 128)
            *target++ = (byte)Count;
        else if (Count < 0x7F00)
        {
            *target++ = (byte)((Count >> 8) + 128);
            *target++ = (byte)Count;
        }
        else
        {
            *target++ = 255;
            *(ushort*)target = (ushort)(Count - 0x7F00);
            target += 2;
        }
        if (Count == 0)
            return target;
        Span<int> literalCounts = stackalloc int[ZstdFormat.LiteralLengthCodes];
        Span<int> matchCounts = stackalloc int[ZstdFormat.MatchLengthCodes];
        Span<int> offsetCounts = stackalloc int[ZstdFormat.OffsetCodes];
        literalCounts.Clear();
        matchCounts.Clear();
        offsetCounts.Clear();
        ReadOnlySpan<byte> shortLiterals = LiteralCodes, shortMatches = s_matchCodes;
        for (var i = 0; i < count; i++)
        {
            ref readonly var sequence = ref _sequences[i];
            var literal = sequence.LiteralLength < 64 ? shortLiterals[sequence.LiteralLength]
                : BitOperations.Log2((uint)sequence.LiteralLength) + 19;
            var value = sequence.MatchLength - 3;
            var match = value < 128 ? shortMatches[value] : BitOperations.Log2((uint)value) + 36;
            var offset = BitOperations.Log2((uint)sequence.Offset);
            literalCounts[literal]++;
            matchCounts[match]++;
            offsetCounts[offset]++;
            (_literalCodes[i], _matchCodes[i], _offsetCodes[i]) = ((byte)literal, (byte)match, (byte)offset);
        }
        var modes = target++;
        var literals = Table(literalCounts, _literalCodes[0], ZstdFormat.MaxLengthLog,
            FseEncoder.DefaultLiteralLengths, ref target, out var literalMode);
        var offsets = Table(offsetCounts[..ZstdFormat.DefaultOffsets.Length], _offsetCodes[0], ZstdFormat.MaxOffsetLog,
            FseEncoder.DefaultOffsets, ref target, out var offsetMode);
        var matches = Table(matchCounts, _matchCodes[0], ZstdFormat.MaxLengthLog,
            FseEncoder.DefaultMatchLengths, ref target, out var matchMode);
        *modes = (byte)((literalMode << 6) | (offsetMode << 4) | (matchMode << 2));
        return Encode(target, literals, offsets, matches);
    }

    /// <summary>Chooses between one code, the predefined table and one of our own.</summary>
    private FseEncoder Table(
        ReadOnlySpan<int> counts, byte first, int maxLog, FseEncoder byDefault, ref byte* target, out int mode)
    {
        if (counts[first] == Count && Count > 2)
        {
            mode = 1;
            *target++ = first;
            return FseEncoder.Of(first);
        }
        // A table of our own takes some 20 bytes, which few sequences do not win back.
        if (Count < 48 || counts[first] == Count)
        {
            mode = 0;
            return byDefault;
        }
        mode = 2;
        Span<short> probabilities = stackalloc short[counts.Length];
        var log = FseEncoder.Normalise(counts, Count, maxLog, probabilities);
        target = FseEncoder.Write(target, probabilities, log);
        return new FseEncoder(probabilities, log);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private byte* Encode(byte* target, FseEncoder literals, FseEncoder offsets, FseEncoder matches)
    {
        var bits = new BitWriter(target);
        var last = Count - 1;
        int literalState = literals.First(_literalCodes[last]);
        int offsetState = offsets.First(_offsetCodes[last]);
        int matchState = matches.First(_matchCodes[last]);
        fixed (byte* literalCodes = _literalCodes, matchCodes = _matchCodes, offsetCodes = _offsetCodes)
        fixed (byte* literalBits = ZstdFormat.LiteralLengthBits, matchBits = ZstdFormat.MatchLengthBits)
        fixed (Sequence* sequences = _sequences)
        {
            for (var i = last; i >= 0; i--)
            {
                int literalCode = literalCodes[i], matchCode = matchCodes[i], offsetCode = offsetCodes[i];
                if (i < last)
                {
                    offsets.Encode(ref bits, ref offsetState, offsetCode);
                    matches.Encode(ref bits, ref matchState, matchCode);
                    literals.Encode(ref bits, ref literalState, literalCode);
                }
                int literalExtra = literalBits[literalCode], matchExtra = matchBits[matchCode];
                // The states have taken 26 bits at most, of the 57 between two flushes.
                var isLong = literalExtra + matchExtra + offsetCode > 30;
                if (isLong)
                    bits.Flush();
                // The values of a code start at a multiple of their number: what is added to the first are the lowest bits.
                bits.Add((uint)sequences[i].LiteralLength & ((1u << literalExtra) - 1), literalExtra);
                bits.Add((uint)(sequences[i].MatchLength - 3) & ((1u << matchExtra) - 1), matchExtra);
                if (isLong)
                    bits.Flush();
                bits.Add((uint)sequences[i].Offset & ((1u << offsetCode) - 1), offsetCode);
                bits.Flush();
            }
        }
        matches.Flush(ref bits, matchState);
        offsets.Flush(ref bits, offsetState);
        literals.Flush(ref bits, literalState);
        bits.Flush();
        return bits.EndBackward();
    }

    private static ReadOnlySpan<byte> LiteralCodes =>
    [
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 16, 17, 17, 18, 18, 19, 19, 20, 20, 20, 20, 21, 21, 21, 21,
        22, 22, 22, 22, 22, 22, 22, 22, 23, 23, 23, 23, 23, 23, 23, 23, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24,
        24, 24,
    ];

    private static byte[] ShortMatchCodes()
    {
        var codes = new byte[128];
        for (byte value = 0, code = 0; value < 128; value++)
        {
            while (ZstdFormat.MatchLengthBases[code + 1] <= value + 3)
                code++;
            codes[value] = code;
        }
        return codes;
    }
}

/// <summary>Some literals, then a match.</summary>
/// <param name="LiteralLength">Literals before the match.</param>
/// <param name="Offset">1 to 3 for an offset used before, else the distance plus 3.</param>
/// <param name="MatchLength">At least 3.</param>
internal readonly record struct Sequence(int LiteralLength, int Offset, int MatchLength);

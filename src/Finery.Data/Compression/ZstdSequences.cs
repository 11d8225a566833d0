using System.Numerics;
using System.Runtime.CompilerServices;

namespace Finery.Data.Compression;

/// <summary>The sequences of one block as they are found, and their encoding (RFC 8878, section 3.1.1.3.2).</summary>
internal sealed unsafe class ZstdSequences
{
    private const int MaxCount = ZstdFormat.MaxBlockBytes / 3 + 8;

    private readonly int[] _literalLengths = new int[MaxCount];
    private readonly int[] _matchLengths = new int[MaxCount];
    private readonly int[] _offsets = new int[MaxCount];
    private readonly byte[] _literalCodes = new byte[MaxCount];
    private readonly byte[] _matchCodes = new byte[MaxCount];
    private readonly byte[] _offsetCodes = new byte[MaxCount];

    public int Count { get; private set; }

    public void Clear() => Count = 0;

    /// <param name="literalLength">Literals before the match.</param>
    /// <param name="offset">1 to 3 for an offset used before, else the distance plus 3.</param>
    /// <param name="matchLength">At least 3.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(int literalLength, int offset, int matchLength)
    {
        var i = Count++;
        _literalLengths[i] = literalLength;
        _offsets[i] = offset;
        _matchLengths[i] = matchLength;
    }

    /// <summary>Writes the sequences section.</summary>
    public byte* Write(byte* target)
    {
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
        for (var i = 0; i < Count; i++)
        {
            _literalCodes[i] = LiteralCode(_literalLengths[i]);
            _matchCodes[i] = MatchCode(_matchLengths[i]);
            _offsetCodes[i] = (byte)BitOperations.Log2((uint)_offsets[i]);
        }
        var modes = target++;
        var literals = Table(_literalCodes, ZstdFormat.LiteralLengthCodes, ZstdFormat.MaxLengthLog,
            FseEncoder.DefaultLiteralLengths, ref target, out var literalMode);
        var offsets = Table(_offsetCodes, ZstdFormat.DefaultOffsets.Length, ZstdFormat.MaxOffsetLog,
            FseEncoder.DefaultOffsets, ref target, out var offsetMode);
        var matches = Table(_matchCodes, ZstdFormat.MatchLengthCodes, ZstdFormat.MaxLengthLog,
            FseEncoder.DefaultMatchLengths, ref target, out var matchMode);
        *modes = (byte)((literalMode << 6) | (offsetMode << 4) | (matchMode << 2));
        return Encode(target, literals, offsets, matches);
    }

    /// <summary>Chooses between one code, the predefined table and one of our own.</summary>
    private FseEncoder Table(byte[] codes, int codeCount, int maxLog, FseEncoder byDefault, ref byte* target, out int mode)
    {
        Span<int> counts = stackalloc int[codeCount];
        counts.Clear();
        foreach (var code in codes.AsSpan(0, Count))
            counts[code]++;
        if (counts[codes[0]] == Count && Count > 2)
        {
            mode = 1;
            *target++ = codes[0];
            return FseEncoder.Of(codes[0]);
        }
        // A table of our own takes some 20 bytes, which few sequences do not win back.
        if (Count < 48 || counts[codes[0]] == Count)
        {
            mode = 0;
            return byDefault;
        }
        mode = 2;
        Span<short> probabilities = stackalloc short[codeCount];
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
        fixed (int* literalLengths = _literalLengths, matchLengths = _matchLengths, offsetValues = _offsets)
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
                bits.Add((uint)literalLengths[i] & ((1u << literalExtra) - 1), literalExtra);
                bits.Add((uint)(matchLengths[i] - 3) & ((1u << matchExtra) - 1), matchExtra);
                if (isLong)
                    bits.Flush();
                bits.Add((uint)offsetValues[i] & ((1u << offsetCode) - 1), offsetCode);
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

    private static byte LiteralCode(int length) =>
        length < 64 ? LiteralCodes[length] : (byte)(BitOperations.Log2((uint)length) + 19);

    private static byte MatchCode(int length)
    {
        var value = length - 3;
        if (value < 32)
            return (byte)value;
        if (value >= 128)
            return (byte)(BitOperations.Log2((uint)value) + 36);
        var code = 32;
        while (code < 42 && ZstdFormat.MatchLengthBases[code + 1] <= length)
            code++;
        return (byte)code;
    }
}

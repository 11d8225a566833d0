using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Finery.Data.Compression;

/// <summary>
/// Decodes compressed blocks of one frame (RFC 8878, section 3.1.1.3). Every length and distance in a block is checked before
/// memory is touched, so that a damaged one ends in an exception.
/// </summary>
internal sealed unsafe class ZstdBlockDecoder
{
    /// <summary>Bytes that must be readable before a block, and readable or writable after it and after the output.</summary>
    public const int Slack = 64;

    private readonly byte[] _literals = new byte[ZstdFormat.MaxBlockBytes + Slack];
    private readonly HuffmanDecoder _huffman = new();
    private SequenceTable? _literalLengths, _offsets, _matchLengths;
    private long _repeat1, _repeat2, _repeat3;

    /// <summary>Begins a frame.</summary>
    public void Reset()
    {
        (_repeat1, _repeat2, _repeat3) = (1, 4, 8);
        (_literalLengths, _offsets, _matchLengths) = (null, null, null);
        _huffman.Reset();
    }

    /// <summary>Decodes a block behind what came before.</summary>
    /// <param name="source">The block, with slack on both sides.</param>
    /// <param name="length">Its bytes.</param>
    /// <param name="window">The first byte that a match may refer to.</param>
    /// <param name="output">Where to write, with slack behind <paramref name="limit"/>.</param>
    /// <param name="limit">Most bytes it may yield.</param>
    /// <returns>How many it yielded.</returns>
    public int Decode(byte* source, int length, byte* window, byte* output, int limit)
    {
        fixed (byte* buffer = _literals)
        {
            var end = source + length;
            byte* literals = buffer;
            int literalCount = ReadLiterals(ref source, end, ref literals, limit);
            var count = ReadCount(ref source, end);
            if (count == 0)
            {
                if (source != end)
                    throw Damaged("there are bytes after the last sequence");
                Buffer.MemoryCopy(literals, output, limit, literalCount);
                return literalCount;
            }
            ReadTables(ref source, end);
            return Execute(source, (int)(end - source), count, literals, literalCount, window, output, limit);
        }
    }

    private int ReadLiterals(ref byte* source, byte* end, ref byte* literals, int limit)
    {
        Require(source, end, 1);
        var kind = *source & 3;
        var format = (*source >> 2) & 3;
        if (kind < 2)
        {
            var header = (format & 1) == 0 ? 1 : format == 1 ? 2 : 3;
            Require(source, end, header);
            var size = header == 1 ? *source >> 3 : header == 2 ? *(ushort*)source >> 4
                : (*(ushort*)source | (source[2] << 16)) >> 4;
            source += header;
            if (size > limit)
                throw Damaged("it has more literals than a block may have");
            Require(source, end, kind == 0 ? size : 1);
            if (kind == 0)
            {
                literals = source;
                source += size;
            }
            else
                Unsafe.InitBlockUnaligned(literals, *source++, (uint)size);
            return size;
        }
        var bytes = format < 2 ? 3 : format + 2;
        Require(source, end, bytes);
        var bits = *(ulong*)source; // the slack behind a block makes this safe
        var width = format < 2 ? 10 : format == 2 ? 14 : 18;
        var regenerated = (int)(bits >> 4) & ((1 << width) - 1);
        var compressed = (int)(bits >> (4 + width)) & ((1 << width) - 1);
        source += bytes;
        Require(source, end, compressed);
        if (regenerated > limit)
            throw Damaged("it has more literals than a block may have");
        var stream = source;
        source += compressed;
        if (kind == 2)
            stream += _huffman.ReadTree(new ReadOnlySpan<byte>(stream, compressed));
        else if (!_huffman.IsReady)
            throw Damaged("it refers to Huffman codes that were never given");
        if (format == 0)
            _huffman.DecodeOne(stream, (int)(source - stream), literals, regenerated);
        else
            _huffman.DecodeFour(stream, (int)(source - stream), literals, regenerated);
        return regenerated;
    }

    private static int ReadCount(ref byte* source, byte* end)
    {
        Require(source, end, 1);
        int first = *source;
        var bytes = first < 128 ? 1 : first < 255 ? 2 : 3;
        Require(source, end, bytes);
        var count = bytes switch
        {
            1 => first,
            2 => ((first - 128) << 8) + source[1],
            _ => source[1] + (source[2] << 8) + 0x7F00,
        };
        source += bytes;
        return count;
    }

    private void ReadTables(ref byte* source, byte* end)
    {
        Require(source, end, 1);
        int modes = *source++;
        if ((modes & 3) != 0)
            throw Damaged("reserved bits are set");
        _literalLengths = ReadTable(modes >> 6, SequenceCode.LiteralLength, ZstdFormat.LiteralLengthCodes,
            ZstdFormat.MaxLengthLog, SequenceTable.DefaultLiteralLengths, _literalLengths, ref source, end);
        _offsets = ReadTable((modes >> 4) & 3, SequenceCode.Offset, ZstdFormat.OffsetCodes, ZstdFormat.MaxOffsetLog,
            SequenceTable.DefaultOffsets, _offsets, ref source, end);
        _matchLengths = ReadTable((modes >> 2) & 3, SequenceCode.MatchLength, ZstdFormat.MatchLengthCodes,
            ZstdFormat.MaxLengthLog, SequenceTable.DefaultMatchLengths, _matchLengths, ref source, end);
    }

    private static SequenceTable ReadTable(int mode, SequenceCode code, int codes, int maxLog, SequenceTable byDefault,
        SequenceTable? previous, ref byte* source, byte* end)
    {
        switch (mode)
        {
            case 0:
                return byDefault;
            case 1:
                Require(source, end, 1);
                return new SequenceTable(*source++, code);
            case 2:
                Span<short> counts = stackalloc short[codes];
                source += FseDistribution.Read(new ReadOnlySpan<byte>(source, (int)(end - source)), counts, maxLog, out var log);
                return new SequenceTable(counts, log, code);
            default:
                return previous ?? throw Damaged("it refers to a table that was never given");
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int Execute(
        byte* stream, int length, int count, byte* literals, int literalCount, byte* window, byte* output, int limit)
    {
        var position = BackwardBits.Start(stream, length);
        long repeat1 = _repeat1, repeat2 = _repeat2, repeat3 = _repeat3;
        byte* target = output, targetEnd = output + limit, literalsEnd = literals + literalCount;
        fixed (ulong* lengthCells = _literalLengths!.Cells, offsetCells = _offsets!.Cells, matchCells = _matchLengths!.Cells)
        {
            int lengthLog = _literalLengths.Log, offsetLog = _offsets.Log, matchLog = _matchLengths.Log;
            var bits = BackwardBits.Load(stream, position);
            ulong* lengthCell = lengthCells + BackwardBits.Top(bits, lengthLog);
            bits <<= lengthLog;
            ulong* offsetCell = offsetCells + BackwardBits.Top(bits, offsetLog);
            bits <<= offsetLog;
            ulong* matchCell = matchCells + BackwardBits.Top(bits, matchLog);
            position -= lengthLog + offsetLog + matchLog;
            for (var left = count; ; left--)
            {
                if (position < 0)
                    throw Damaged("its sequences end too early");
                ulong ofCell = *offsetCell, mlCell = *matchCell, llCell = *lengthCell;
                int ofExtra = (byte)(ofCell >> 24), mlExtra = (byte)(mlCell >> 24), llExtra = (byte)(llCell >> 24);
                bits = BackwardBits.Load(stream, position);
                var offsetValue = (uint)(ofCell >> 32) + BackwardBits.Top(bits, ofExtra);
                bits <<= ofExtra;
                position -= ofExtra + mlExtra + llExtra;
                // A load is sure to give 57 bits, and the next states take up to 26 of them.
                var isLong = ofExtra + mlExtra + llExtra > 31;
                if (isLong)
                    bits = BackwardBits.Load(stream, position + mlExtra + llExtra);
                var matchLength = (int)((mlCell >> 32) + BackwardBits.Top(bits, mlExtra));
                bits <<= mlExtra;
                var literalLength = (int)((llCell >> 32) + BackwardBits.Top(bits, llExtra));
                bits <<= llExtra;
                if (left > 1)
                {
                    if (isLong)
                        bits = BackwardBits.Load(stream, position);
                    int llWidth = (byte)(llCell >> 16), mlWidth = (byte)(mlCell >> 16), ofWidth = (byte)(ofCell >> 16);
                    lengthCell = lengthCells + ((ushort)llCell + BackwardBits.Top(bits, llWidth));
                    bits <<= llWidth;
                    matchCell = matchCells + ((ushort)mlCell + BackwardBits.Top(bits, mlWidth));
                    bits <<= mlWidth;
                    offsetCell = offsetCells + ((ushort)ofCell + BackwardBits.Top(bits, ofWidth));
                    position -= llWidth + mlWidth + ofWidth;
                }
                long offset;
                if (offsetValue > 3)
                {
                    offset = offsetValue - 3;
                    repeat3 = repeat2;
                    repeat2 = repeat1;
                    repeat1 = offset;
                }
                else
                {
                    var which = (int)offsetValue + (literalLength == 0 ? 1 : 0);
                    offset = which switch { 1 => repeat1, 2 => repeat2, 3 => repeat3, _ => repeat1 - 1 };
                    if (which > 1)
                    {
                        if (which > 2)
                            repeat3 = repeat2;
                        repeat2 = repeat1;
                        repeat1 = offset;
                    }
                }
                if (literalLength > literalsEnd - literals || (long)literalLength + matchLength > targetEnd - target)
                    throw Damaged("its sequences yield too much");
                Copy(literals, target, literalLength);
                literals += literalLength;
                target += literalLength;
                if (offset <= 0 || offset > target - window)
                    throw Damaged("it refers to bytes before the start");
                CopyMatch(target, offset, matchLength);
                target += matchLength;
                if (left == 1)
                    break;
            }
        }
        if (position != 0)
            throw Damaged("its sequences do not end with their bits");
        (_repeat1, _repeat2, _repeat3) = (repeat1, repeat2, repeat3);
        var rest = (int)(literalsEnd - literals);
        if (rest > targetEnd - target)
            throw Damaged("its literals yield too much");
        Buffer.MemoryCopy(literals, target, rest, rest);
        return (int)(target - output) + rest;
    }

    /// <summary>Copies, and up to 15 bytes more.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Copy(byte* source, byte* target, int count)
    {
        Vector128.Store(Vector128.Load(source), target);
        for (var i = 16; i < count; i += 16)
            Vector128.Store(Vector128.Load(source + i), target + i);
    }

    /// <summary>Repeats what lies <paramref name="offset"/> bytes before; may write up to 15 bytes more.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CopyMatch(byte* target, long offset, int count)
    {
        if (offset >= 16)
            Copy(target - offset, target, count);
        else
            CopyNear(target, offset, count);
    }

    private static void CopyNear(byte* target, long offset, int count)
    {
        if (offset == 1)
        {
            Unsafe.InitBlockUnaligned(target, target[-1], (uint)count);
            return;
        }
        // Whole vectors can be copied from a multiple of the period that is no shorter than they are.
        var period = (15 + offset) / offset * offset;
        var done = 0;
        for (; done < count && done < period - offset; done++)
            target[done] = target[done - offset];
        for (; done < count; done += 16)
            Vector128.Store(Vector128.Load(target + done - period), target + done);
    }

    private static void Require(byte* source, byte* end, int count)
    {
        if (end - source < count)
            throw Damaged("it is too short");
    }

    private static InvalidDataException Damaged(string how) => new($"Damaged zstd block: {how}.");
}

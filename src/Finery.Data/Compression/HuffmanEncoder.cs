using System.Runtime.CompilerServices;

namespace Finery.Data.Compression;

/// <summary>Huffman codes for the literals of one block, at most 11 bits long.</summary>
internal sealed unsafe class HuffmanEncoder
{
    private readonly int[] _counts = new int[256];
    private readonly int[] _lanes = new int[256 * 3];
    private readonly byte[] _lengths = new byte[256];
    private readonly uint[] _codes = new uint[256];
    private readonly int[] _order = new int[256];
    private readonly int[] _weightsOfNodes = new int[512];
    private readonly int[] _parents = new int[512];

    /// <summary>Writes the literals section of a block (RFC 8878, section 3.1.1.3.1), as Huffman codes, one byte repeated, or
    /// as they are, whichever is shortest.</summary>
    public byte* Write(byte* target, byte* literals, int count)
    {
        if (count >= 32)
        {
            var used = Count(literals, count, out var most);
            if (used == 1)
            {
                target = Header(target, 1, count);
                *target++ = *literals;
                return target;
            }
            // Nearly flat counts do not pay for their codes.
            if (most > (count >> 7) + 4 && TryCompress(target, literals, count) is var end && end != null)
                return end;
        }
        target = Header(target, 0, count);
        Buffer.MemoryCopy(literals, target, count, count);
        return target + count;
    }

    private static byte* Header(byte* target, int kind, int count)
    {
        if (count < 32)
        {
            *target = (byte)(kind | (count << 3));
            return target + 1;
        }
        if (count < 4096)
        {
            *(ushort*)target = (ushort)(kind | 4 | (count << 4));
            return target + 2;
        }
        *(uint*)target = (uint)(kind | 12 | (count << 4));
        return target + 3;
    }

    private byte* TryCompress(byte* target, byte* literals, int count)
    {
        BuildLengths();
        var header = count < 1024 ? 3 : count < 16384 ? 4 : 5;
        var body = WriteTree(target + header);
        if (body == null)
            return null;
        byte* end;
        if (count < 256)
            end = Encode(body, literals, count);
        else
        {
            var quarter = (count + 3) / 4;
            end = body + 6;
            for (var i = 0; i < 4; i++)
            {
                var start = end;
                end = Encode(end, literals + i * quarter, i < 3 ? quarter : count - 3 * quarter);
                if (i < 3)
                    ((ushort*)body)[i] = (ushort)(end - start);
            }
        }
        var compressed = (long)(end - target) - header;
        if (compressed >= count - (count >> 6) - 2)
            return null;
        var format = count < 256 ? 0 : header - 2;
        var width = format < 2 ? 10 : format == 2 ? 14 : 18;
        var bits = 2ul | ((ulong)format << 2) | ((ulong)count << 4) | ((ulong)compressed << (4 + width));
        for (var i = 0; i < header; i++)
            target[i] = (byte)(bits >> (8 * i));
        return end;
    }

    /// <summary>How often each byte occurs; four tables, as the same byte often follows itself.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int Count(byte* literals, int count, out int most)
    {
        Array.Clear(_counts);
        Array.Clear(_lanes);
        fixed (int* counts = _counts, lanes = _lanes)
        {
            var i = 0;
            for (; i + 4 <= count; i += 4)
            {
                counts[literals[i]]++;
                lanes[literals[i + 1]]++;
                lanes[256 + literals[i + 2]]++;
                lanes[512 + literals[i + 3]]++;
            }
            for (; i < count; i++)
                counts[literals[i]]++;
            var used = 0;
            most = 0;
            for (var s = 0; s < 256; s++)
            {
                counts[s] += lanes[s] + lanes[256 + s] + lanes[512 + s];
                used += counts[s] > 0 ? 1 : 0;
                most = Math.Max(most, counts[s]);
            }
            return used;
        }
    }

    /// <summary>Lengths of the codes: Huffman's algorithm with two queues, then the limit, then the codes themselves.</summary>
    private void BuildLengths()
    {
        var used = 0;
        for (var s = 0; s < 256; s++)
            if (_counts[s] > 0)
                _order[used++] = s;
        _order.AsSpan(0, used).Sort((x, y) => _counts[x] != _counts[y] ? _counts[x] - _counts[y] : x - y);
        for (var i = 0; i < used; i++)
            _weightsOfNodes[i] = _counts[_order[i]];
        int leaf = 0, inner = used;
        for (var node = used; node < 2 * used - 1; node++)
        {
            _weightsOfNodes[node] = 0;
            for (var child = 0; child < 2; child++)
            {
                var next = leaf < used && (inner >= node || _weightsOfNodes[leaf] <= _weightsOfNodes[inner]) ? leaf++ : inner++;
                _weightsOfNodes[node] += _weightsOfNodes[next];
                _parents[next] = node;
            }
        }
        Array.Clear(_lengths);
        Span<int> depths = stackalloc int[2 * used];
        for (var node = 2 * used - 3; node >= 0; node--)
        {
            depths[node] = depths[_parents[node]] + 1;
            if (node < used)
                _lengths[_order[node]] = (byte)Math.Min(depths[node], ZstdFormat.MaxHuffmanBits);
        }
        Limit(_order.AsSpan(0, used));
        Assign(used);
    }

    /// <summary>Makes the codes fill the code space exactly after lengths were cut to the limit; <paramref name="order"/> is
    /// from the rarest byte on.</summary>
    private void Limit(ReadOnlySpan<int> order)
    {
        const int Full = 1 << ZstdFormat.MaxHuffmanBits;
        var filled = 0;
        foreach (var s in order)
            filled += Full >> _lengths[s];
        while (filled > Full)
            foreach (var s in order)
                if (_lengths[s] < ZstdFormat.MaxHuffmanBits && filled > Full)
                {
                    _lengths[s]++;
                    filled -= Full >> _lengths[s];
                }
        while (filled < Full)
            for (var i = order.Length - 1; i >= 0; i--)
                if (Full >> _lengths[order[i]] <= Full - filled)
                {
                    filled += Full >> _lengths[order[i]];
                    _lengths[order[i]]--;
                }
    }

    private void Assign(int used)
    {
        var longest = 0;
        foreach (var s in _order.AsSpan(0, used))
            longest = Math.Max(longest, _lengths[s]);
        var position = 0;
        for (var length = longest; length > 0; length--)
            for (var s = 0; s < 256; s++)
                if (_lengths[s] == length)
                {
                    _codes[s] = (uint)(position >> (longest - length) << 4) | (uint)length;
                    position += 1 << (longest - length);
                }
    }

    /// <summary>Writes the description of the codes; null when it cannot be written.</summary>
    private byte* WriteTree(byte* target)
    {
        var longest = 0;
        var last = 0;
        for (var s = 0; s < 256; s++)
            if (_lengths[s] > 0)
                (longest, last) = (Math.Max(longest, _lengths[s]), s);
        Span<byte> weights = stackalloc byte[last];
        for (var s = 0; s < last; s++)
            weights[s] = (byte)(_lengths[s] == 0 ? 0 : longest + 1 - _lengths[s]);
        var end = WriteWeights(target, weights);
        if (end != null && (last > 128 || end - target <= 1 + (last + 1) / 2))
            return end;
        if (last > 128)
            return null;
        *target++ = (byte)(127 + last);
        for (var s = 0; s < last; s += 2)
            *target++ = (byte)((weights[s] << 4) | (s + 1 < last ? weights[s + 1] : 0));
        return target;
    }

    /// <summary>The weights as a finite state code with two states that alternate.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static byte* WriteWeights(byte* target, ReadOnlySpan<byte> weights)
    {
        Span<int> counts = stackalloc int[ZstdFormat.MaxHuffmanBits + 1];
        counts.Clear();
        foreach (var weight in weights)
            counts[weight]++;
        if (weights.Length < 4 || counts.Length - counts.Count(0) < 2)
            return null;
        Span<short> probabilities = stackalloc short[counts.Length];
        var log = FseEncoder.Normalise(counts, weights.Length, ZstdFormat.MaxWeightLog, probabilities);
        var encoder = new FseEncoder(probabilities, log);
        var bits = new BitWriter(FseEncoder.Write(target + 1, probabilities, log));
        Span<int> states = stackalloc int[2];
        var last = weights.Length - 1;
        states[last & 1] = encoder.First(weights[last]);
        states[(last - 1) & 1] = encoder.First(weights[last - 1]);
        for (var i = last - 2; i >= 0; i--)
        {
            encoder.Encode(ref bits, ref states[i & 1], weights[i]);
            bits.Flush();
        }
        encoder.Flush(ref bits, states[1]);
        encoder.Flush(ref bits, states[0]);
        var end = bits.EndBackward();
        if (end - target - 1 >= 128)
            return null;
        *target = (byte)(end - target - 1);
        return end;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private byte* Encode(byte* target, byte* literals, int count)
    {
        var bits = new BitWriter(target);
        fixed (uint* codes = _codes)
        {
            var i = count;
            for (; i >= 4; i -= 4)
            {
                uint c0 = codes[literals[i - 1]], c1 = codes[literals[i - 2]];
                uint c2 = codes[literals[i - 3]], c3 = codes[literals[i - 4]];
                bits.Add(c0 >> 4, (int)c0 & 15);
                bits.Add(c1 >> 4, (int)c1 & 15);
                bits.Add(c2 >> 4, (int)c2 & 15);
                bits.Add(c3 >> 4, (int)c3 & 15);
                bits.Flush();
            }
            for (; i > 0; i--)
            {
                var code = codes[literals[i - 1]];
                bits.Add(code >> 4, (int)code & 15);
                bits.Flush();
            }
        }
        return bits.EndBackward();
    }
}

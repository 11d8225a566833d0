using System.Numerics;

namespace Finery.Data.Compression;

/// <summary>
/// Probabilities of a finite state entropy code, in units of 1/2^log; -1 is "less than one", which takes one state. What the
/// decoder's and the encoder's tables share (RFC 8878, section 4.1).
/// </summary>
internal static class FseDistribution
{
    /// <summary>Reads a distribution; <paramref name="counts"/> is cleared first.</summary>
    /// <returns>Bytes it took.</returns>
    /// <exception cref="InvalidDataException">It is no distribution.</exception>
    public static int Read(ReadOnlySpan<byte> source, Span<short> counts, int maxLog, out int log)
    {
        var bits = new ForwardBits(source);
        log = bits.Read(4) + 5;
        if (log > maxLog)
            throw new InvalidDataException($"Damaged zstd block: a table of 2^{log} states where 2^{maxLog} are allowed.");
        counts.Clear();
        var remaining = 1 << log;
        var symbol = 0;
        while (remaining > 0 && symbol < counts.Length)
        {
            var largest = remaining + 1;
            var width = 32 - BitOperations.LeadingZeroCount((uint)largest);
            var low = (1 << width) - 1 - largest;
            var value = bits.Read(width - 1);
            if (value >= low)
            {
                value |= bits.Read(1) << (width - 1);
                if (value >= 1 << (width - 1))
                    value -= low;
            }
            counts[symbol++] = (short)(value - 1);
            remaining -= Math.Abs(value - 1);
            if (value != 1)
                continue;
            int zeros;
            do
            {
                zeros = bits.Read(2);
                symbol += zeros;
            }
            while (zeros == 3 && symbol < counts.Length);
        }
        if (remaining != 0 || symbol > counts.Length || bits.BytesRead > source.Length)
            throw new InvalidDataException("Damaged zstd block: the probabilities of a table do not add up.");
        return bits.BytesRead;
    }

    /// <summary>Which symbol each state stands for.</summary>
    public static void Spread(ReadOnlySpan<short> counts, int log, Span<byte> symbols)
    {
        var size = 1 << log;
        var high = size - 1;
        for (var s = 0; s < counts.Length; s++)
            if (counts[s] == -1)
                symbols[high--] = (byte)s;
        var step = (size >> 1) + (size >> 3) + 3;
        var position = 0;
        for (var s = 0; s < counts.Length; s++)
            for (var i = 0; i < counts[s]; i++)
            {
                symbols[position] = (byte)s;
                do
                    position = (position + step) & (size - 1);
                while (position > high);
            }
    }

    private ref struct ForwardBits(ReadOnlySpan<byte> source)
    {
        private readonly ReadOnlySpan<byte> _source = source;
        private int _position;

        public readonly int BytesRead => (_position + 7) >> 3;

        /// <summary>Bits beyond the end are 0; the caller compares <see cref="BytesRead"/> in the end.</summary>
        public int Read(int count)
        {
            var value = 0;
            for (var i = 0; i < count; i++, _position++)
                if (_position >> 3 < _source.Length)
                    value |= ((_source[_position >> 3] >> (_position & 7)) & 1) << i;
            return value;
        }
    }
}

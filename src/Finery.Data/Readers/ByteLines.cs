namespace Finery.Data.Readers;

/// <summary>
/// Cuts a stream into lines at <c>\n</c> (a preceding <c>\r</c> is dropped, the last line needs no end). Memory is bounded by
/// <paramref name="maxLineBytes"/>: a longer line is passed over and reported as too long.
/// </summary>
internal sealed class ByteLines(Stream stream, int maxLineBytes)
{
    private byte[] _buffer = new byte[1 << 17];
    private int _start;
    private int _end;
    private bool _atEnd;

    /// <summary>Number of the line last returned, from 1.</summary>
    public long LineNumber { get; private set; }

    /// <summary>Bytes up to the start of the next line.</summary>
    public long Consumed { get; private set; }

    /// <summary>The next line, valid until the next call.</summary>
    /// <returns>False at the end of the stream.</returns>
    /// <exception cref="InvalidDataException">The compressed stream is damaged or truncated.</exception>
    public bool TryRead(out ReadOnlyMemory<byte> line, out bool tooLong)
    {
        tooLong = false;
        var scanned = 0;
        while (true)
        {
            var end = _buffer.AsSpan(_start + scanned, _end - _start - scanned).IndexOf((byte)'\n');
            if (end >= 0)
            {
                line = Trim(_buffer.AsMemory(_start, scanned + end));
                _start += scanned + end + 1;
                Consumed += scanned + end + 1;
                LineNumber++;
                return true;
            }
            scanned = _end - _start;
            if (scanned > maxLineBytes)
            {
                tooLong = true;
                Consumed += scanned;
                _start = _end = scanned = 0;
            }
            if (_atEnd || !Fill())
            {
                line = Trim(_buffer.AsMemory(_start, _end - _start));
                Consumed += _end - _start;
                _start = _end;
                LineNumber++;
                return line.Length > 0 || tooLong;
            }
        }
    }

    private bool Fill()
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            _end -= _start;
            _start = 0;
        }
        if (_end == _buffer.Length)
            Array.Resize(ref _buffer, (int)Math.Min(_buffer.Length * 2L, maxLineBytes + (1L << 17)));
        var read = stream.Read(_buffer, _end, _buffer.Length - _end);
        _end += read;
        _atEnd = read == 0;
        return read > 0;
    }

    private static ReadOnlyMemory<byte> Trim(ReadOnlyMemory<byte> line) => line.Span is [.., (byte)'\r'] ? line[..^1] : line;
}

using System.Buffers;

namespace Finery.Data.Readers;

/// <summary>A seekable stream read through a window, which keeps what was just read, so that stepping back a little costs
/// nothing. Used by one thread.</summary>
internal sealed class BufferedInput(Stream stream) : IDisposable
{
    /// <summary>How far back <see cref="Seek"/> needs no second read.</summary>
    public const int History = 1 << 14;

    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(1 << 18);
    private int _start;
    private int _end;
    private long _bufferEnd;

    /// <summary>Bytes of the whole stream.</summary>
    public long Length { get; } = stream.Length;

    /// <summary>Offset of the next byte.</summary>
    public long Position => _bufferEnd - (_end - _start);

    /// <summary>The bytes ahead, without passing them: at least <paramref name="count"/> (up to 128 KB) unless the stream ends
    /// sooner. Valid until the next call.</summary>
    public ReadOnlySpan<byte> Peek(int count)
    {
        while (_end - _start < count && Fill())
        {
        }
        return _buffer.AsSpan(_start, _end - _start);
    }

    /// <summary>Passes bytes that were peeked at.</summary>
    public void Advance(int count) => _start += count;

    /// <summary>Reads up to the length of <paramref name="target"/>; 0 at the end.</summary>
    public int Read(Span<byte> target)
    {
        if (_start == _end && !Fill())
            return 0;
        var count = Math.Min(target.Length, _end - _start);
        _buffer.AsSpan(_start, count).CopyTo(target);
        _start += count;
        return count;
    }

    /// <summary>Goes to an offset.</summary>
    public void Seek(long position)
    {
        var back = _bufferEnd - position;
        if (back >= 0 && back <= _end)
        {
            _start = _end - (int)back;
            return;
        }
        stream.Position = _bufferEnd = position;
        _start = _end = 0;
    }

    private bool Fill()
    {
        if (_end > _buffer.Length / 2)
        {
            var from = Math.Max(0, _start - History);
            _buffer.AsSpan(from, _end - from).CopyTo(_buffer);
            _start -= from;
            _end -= from;
        }
        var read = stream.Read(_buffer, _end, _buffer.Length - _end);
        _end += read;
        _bufferEnd += read;
        return read > 0;
    }

    public void Dispose()
    {
        stream.Dispose();
        if (_buffer.Length > 0)
            ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
        _start = _end = 0;
    }
}

using System.Diagnostics;

namespace Finery.Data.Readers.Remote;

/// <summary>A remote file as a seekable stream: read by requests for ranges, which are made again where they fail. Used by one
/// thread.</summary>
internal abstract class RangeStream(string address, long length, RemoteOptions options) : Stream
{
    private const long SkipBytes = 1 << 16;
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private Stream? _range;
    private long _rangePosition;
    private long _rangeEnd;
    private long _position;
    private long _received;

    /// <summary>Bytes asked for at a time.</summary>
    public long RangeBytes { get; set; } = 16L << 20;

    public override bool CanRead => true;

    public override bool CanSeek => true;

    public override bool CanWrite => false;

    public override long Length => length;

    public override long Position
    {
        get => _position;
        set => _position = value >= 0 ? value : throw new IOException("A position cannot be negative.");
    }

    /// <summary>Asks for bytes from <paramref name="start"/> up to <paramref name="end"/>, exclusive; more may come.</summary>
    /// <exception cref="RemoteException">The request failed.</exception>
    protected abstract Stream OpenRange(long start, long end);

    public override int Read(Span<byte> buffer)
    {
        if (_position >= length || buffer.IsEmpty)
            return 0;
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                GoTo(_position);
                var wanted = (int)Math.Min(buffer.Length, _rangeEnd - _rangePosition);
                var read = _range!.Read(buffer[..wanted]);
                if (read == 0)
                    throw new RemoteException($"'{address}' ended at byte {_rangePosition} of {length}.", isLasting: false);
                _rangePosition = _position += read;
                Throttle(read);
                return read;
            }
            catch (Exception e) when (RemoteException.Is(e))
            {
                EndRange();
                if (attempt >= options.Retries || e is RemoteException { IsLasting: true })
                    throw new IOException($"'{address}' cannot be read: {e.Message}", e);
                Thread.Sleep(TimeSpan.FromSeconds(0.2 * (1 << attempt)));
            }
        }
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override long Seek(long offset, SeekOrigin origin) => Position = offset + origin switch
    {
        SeekOrigin.Begin => 0,
        SeekOrigin.Current => _position,
        _ => length,
    };

    public override void Flush()
    {
    }

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            EndRange();
        base.Dispose(disposing);
    }

    /// <summary>Has the range open that holds a position; a little further on in one that is open is reached by
    /// reading.</summary>
    private void GoTo(long position)
    {
        if (_range is not null && position >= _rangePosition && position - _rangePosition <= SkipBytes && position < _rangeEnd)
        {
            Span<byte> passed = stackalloc byte[1 << 10];
            while (_rangePosition < position)
            {
                var read = _range.Read(passed[..(int)Math.Min(passed.Length, position - _rangePosition)]);
                if (read == 0)
                    break;
                _rangePosition += read;
            }
            if (_rangePosition == position)
                return;
        }
        EndRange();
        _rangeEnd = Math.Min(length, position + RangeBytes);
        _range = OpenRange(position, _rangeEnd);
        _rangePosition = position;
    }

    private void Throttle(int read)
    {
        _received += read;
        if (options.MaxBytesPerSecond <= 0)
            return;
        var ahead = (double)_received / options.MaxBytesPerSecond - _clock.Elapsed.TotalSeconds;
        if (ahead > 0.01)
            Thread.Sleep(TimeSpan.FromSeconds(Math.Min(ahead, 10)));
    }

    private void EndRange()
    {
        _range?.Dispose();
        _range = null;
    }
}

using System.Buffers.Binary;
using Finery.Data.Deduplication;

namespace Finery.Data.Compression;

/// <summary>
/// Writes Zstandard (RFC 8878) at about the speed of <c>zstd -1</c>, a little less densely. <see cref="EndFrame"/> and
/// <see cref="Flush"/>
/// end a frame: what was written until then stands for itself, so that a file may be cut there and written on. The bytes depend
/// on the data and on where frames end alone, not on how it was cut into writes.
/// </summary>
public sealed class ZstdWriteStream : ForwardStream
{
    private const int Window = 1 << ZstdBlockEncoder.WindowLog;

    private readonly Stream _target;
    private readonly bool _withChecksum;
    private readonly bool _leaveOpen;
    private readonly ZstdBlockEncoder _encoder = new();
    private readonly byte[] _buffer = new byte[1 + (2 * Window) + ZstdBlockEncoder.Slack];
    private RunningXxHash64 _hash = new();
    private int _start = 1, _end = 1;
    private bool _isInFrame, _hasHeader, _hasWritten, _isDisposed;

    /// <summary>Writes to <paramref name="target"/>.</summary>
    /// <param name="target">Where the compressed bytes go.</param>
    /// <param name="withChecksum">Whether each frame ends with a checksum of its content.</param>
    /// <param name="leaveOpen">Whether disposing leaves <paramref name="target"/> alone.</param>
    public ZstdWriteStream(Stream target, bool withChecksum = true, bool leaveOpen = false) =>
        (_target, _withChecksum, _leaveOpen) = (target, withChecksum, leaveOpen);

    /// <inheritdoc/>
    public override bool CanWrite => true;

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        if (buffer.IsEmpty)
            return;
        if (!_isInFrame)
            BeginFrame();
        if (_withChecksum)
            _hash.Append(buffer);
        while (!buffer.IsEmpty)
        {
            // A whole block waits for the byte after it: the last one of a frame is marked.
            if (_end - _start == ZstdFormat.MaxBlockBytes)
                WriteBlock(isLast: false);
            if (_end == 1 + (2 * Window))
                Slide();
            var count = Math.Min(buffer.Length, Math.Min(_start + ZstdFormat.MaxBlockBytes, 1 + (2 * Window)) - _end);
            buffer[..count].CopyTo(_buffer.AsSpan(_end));
            _end += count;
            buffer = buffer[count..];
        }
    }

    /// <summary>Ends the frame if one is begun; the next byte begins another.</summary>
    public void EndFrame()
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        if (!_isInFrame)
            return;
        WriteBlock(isLast: true);
        if (_withChecksum)
        {
            Span<byte> checksum = stackalloc byte[4];
            BinaryPrimitives.WriteUInt32LittleEndian(checksum, (uint)_hash.Value);
            _target.Write(checksum);
        }
        _isInFrame = false;
        _hasWritten = true;
    }

    /// <summary>Ends the frame, and flushes what lies below.</summary>
    public override void Flush()
    {
        EndFrame();
        _target.Flush();
    }

    private void BeginFrame()
    {
        _encoder.Reset();
        _hash = new RunningXxHash64();
        _start = _end = 1;
        _isInFrame = true;
        _hasHeader = false;
    }

    private void WriteBlock(bool isLast)
    {
        if (!_hasHeader)
            WriteHeader(isLast);
        _target.Write(_encoder.Encode(_buffer, _start, _end - _start, isLast));
        _start = _end;
    }

    /// <summary>A frame of one block says how long it is; of a longer one that is not known yet.</summary>
    private void WriteHeader(bool isWhole)
    {
        Span<byte> header = stackalloc byte[10];
        BinaryPrimitives.WriteUInt32LittleEndian(header, ZstdFormat.Magic);
        var flags = _withChecksum ? 4 : 0;
        var size = _end - _start;
        var length = 6;
        if (!isWhole)
        {
            header[4] = (byte)flags;
            header[5] = (ZstdBlockEncoder.WindowLog - 10) << 3;
        }
        else if (size < 256)
        {
            header[4] = (byte)(flags | 32);
            header[5] = (byte)size;
        }
        else if (size < 65536 + 256)
        {
            header[4] = (byte)(flags | 32 | 64);
            BinaryPrimitives.WriteUInt16LittleEndian(header[5..], (ushort)(size - 256));
            length = 7;
        }
        else
        {
            header[4] = (byte)(flags | 32 | 128);
            BinaryPrimitives.WriteUInt32LittleEndian(header[5..], (uint)size);
            length = 9;
        }
        _target.Write(header[..length]);
        _hasHeader = true;
    }

    /// <summary>Keeps one window of what is behind, at the start of the buffer.</summary>
    private void Slide()
    {
        var bytes = _start - 1 - Window;
        Buffer.BlockCopy(_buffer, 1 + bytes, _buffer, 1, _end - 1 - bytes);
        _start -= bytes;
        _end -= bytes;
        _encoder.Slide(bytes);
    }

    /// <summary>Ends the frame; a stream nothing was written to becomes an empty frame.</summary>
    protected override void Dispose(bool disposing)
    {
        if (disposing && !_isDisposed)
        {
            if (!_isInFrame && !_hasWritten)
                BeginFrame();
            EndFrame();
            _isDisposed = true;
            if (!_leaveOpen)
                _target.Dispose();
        }
        base.Dispose(disposing);
    }
}

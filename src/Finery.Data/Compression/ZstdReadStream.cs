using System.Buffers.Binary;
using Finery.Data.Deduplication;

namespace Finery.Data.Compression;

/// <summary>
/// Reads Zstandard (RFC 8878): any number of frames one after another, skippable ones among them. Checksums and content sizes are
/// verified where present. Damage and truncation are an <see cref="InvalidDataException"/>; memory follows what is decoded, up
/// to one and a half windows, never what a header claims.
/// </summary>
public sealed class ZstdReadStream : ForwardStream
{
    /// <summary>Windows up to this size are accepted by default: what <c>zstd --long</c> writes.</summary>
    public const long DefaultMaxWindowBytes = 128L << 20;

    private const int Slack = ZstdBlockDecoder.Slack;

    private readonly long _maxWindowBytes;
    private readonly bool _leaveOpen;
    private readonly ZstdBlockDecoder _decoder = new();
    private readonly byte[] _input = new byte[Slack + (ZstdFormat.MaxBlockBytes * 2) + Slack];
    private Stream _source;
    private byte[] _output = new byte[(64 << 10) + Slack];
    private RunningXxHash64 _hash;
    private int _inputStart = Slack, _inputEnd = Slack;
    private int _read, _written;
    private bool _isInFrame, _hasChecksum;
    private int _windowBytes;
    private long _contentBytes, _produced;

    /// <summary>Reads from <paramref name="source"/>, which begins with a frame.</summary>
    /// <param name="source">Where the compressed bytes come from.</param>
    /// <param name="maxWindowBytes">A frame that needs a larger window is refused.</param>
    /// <param name="leaveOpen">Whether disposing leaves <paramref name="source"/> alone.</param>
    public ZstdReadStream(Stream source, long maxWindowBytes = DefaultMaxWindowBytes, bool leaveOpen = false)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxWindowBytes, 1024);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(maxWindowBytes, 1L << 30);
        (_source, _maxWindowBytes, _leaveOpen) = (source, maxWindowBytes, leaveOpen);
    }

    /// <summary>Whether these are the first bytes of a Zstandard file.</summary>
    public static bool IsZstd(ReadOnlySpan<byte> start) =>
        BinaryPrimitives.TryReadUInt32LittleEndian(start, out var magic)
        && (magic == ZstdFormat.Magic || (magic & ZstdFormat.SkippableMask) == ZstdFormat.SkippableMagic);

    /// <summary>Begins anew with another source.</summary>
    internal void Reset(Stream source)
    {
        _source = source;
        _inputStart = _inputEnd = Slack;
        _read = _written = 0;
        _isInFrame = false;
    }

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    /// <exception cref="InvalidDataException">The data is damaged, cut off, or needs more memory than allowed.</exception>
    public override int Read(Span<byte> buffer)
    {
        if (buffer.IsEmpty)
            return 0;
        while (_read == _written)
            if (!Advance())
                return 0;
        var count = Math.Min(buffer.Length, _written - _read);
        _output.AsSpan(_read, count).CopyTo(buffer);
        _read += count;
        return count;
    }

    /// <summary>Decodes the next block, or passes the start of a frame; false at the end.</summary>
    private bool Advance()
    {
        if (!_isInFrame)
            return BeginFrame();
        Require(3);
        var header = _input[_inputStart] | (_input[_inputStart + 1] << 8) | (_input[_inputStart + 2] << 16);
        _inputStart += 3;
        var size = header >> 3;
        var limit = Math.Min(_windowBytes, ZstdFormat.MaxBlockBytes);
        if (size > limit)
            throw Damaged("a block is larger than its window");
        EnsureRoom(limit);
        var produced = DecodeBlock((header >> 1) & 3, size, limit);
        _produced += produced;
        if (_contentBytes >= 0 && _produced > _contentBytes)
            throw Damaged("a frame is longer than it says");
        if (_hasChecksum)
            _hash.Append(_output.AsSpan(_written, produced));
        _written += produced;
        if ((header & 1) != 0)
            EndFrame();
        return true;
    }

    private unsafe int DecodeBlock(int kind, int size, int limit)
    {
        switch (kind)
        {
            case 0:
                Require(size);
                _input.AsSpan(_inputStart, size).CopyTo(_output.AsSpan(_written));
                _inputStart += size;
                return size;
            case 1:
                Require(1);
                _output.AsSpan(_written, size).Fill(_input[_inputStart++]);
                return size;
            case 2:
                Require(size);
                fixed (byte* input = _input, output = _output)
                {
                    var produced = _decoder.Decode(input + _inputStart, size, output, output + _written, limit);
                    _inputStart += size;
                    return produced;
                }
            default:
                throw Damaged("a block has the reserved type");
        }
    }

    private bool BeginFrame()
    {
        if (!Fill(4))
            return _inputStart == _inputEnd ? false : throw Truncated();
        var magic = BinaryPrimitives.ReadUInt32LittleEndian(_input.AsSpan(_inputStart));
        if ((magic & ZstdFormat.SkippableMask) == ZstdFormat.SkippableMagic)
        {
            Require(8);
            Skip(BinaryPrimitives.ReadUInt32LittleEndian(_input.AsSpan(_inputStart + 4)) + 8L);
            return true;
        }
        if (magic != ZstdFormat.Magic)
            throw Damaged("what follows is no zstd frame");
        Require(5);
        var descriptor = _input[_inputStart + 4];
        if ((descriptor & 8) != 0)
            throw Damaged("a reserved bit of a frame header is set");
        var isSingle = (descriptor & 32) != 0;
        var sizeBytes = (descriptor >> 6) switch { 0 => isSingle ? 1 : 0, 1 => 2, 2 => 4, _ => 8 };
        var dictionaryBytes = (descriptor & 3) switch { 0 => 0, 1 => 1, 2 => 2, _ => 4 };
        Require(5 + (isSingle ? 0 : 1) + dictionaryBytes + sizeBytes);
        var header = _input.AsSpan(_inputStart + 5);
        long window = 0;
        if (!isSingle)
        {
            var unit = 1L << (10 + (header[0] >> 3));
            window = unit + unit / 8 * (header[0] & 7);
            header = header[1..];
        }
        if (header[..dictionaryBytes].ContainsAnyExcept((byte)0))
            throw new InvalidDataException("This zstd data was compressed with a dictionary, which Finery does not read.");
        header = header[dictionaryBytes..];
        _contentBytes = sizeBytes switch
        {
            0 => -1,
            1 => header[0],
            2 => BinaryPrimitives.ReadUInt16LittleEndian(header) + 256,
            4 => BinaryPrimitives.ReadUInt32LittleEndian(header),
            _ => (long)Math.Min(BinaryPrimitives.ReadUInt64LittleEndian(header), long.MaxValue),
        };
        if (isSingle)
            window = _contentBytes;
        if (window > _maxWindowBytes)
            throw new InvalidDataException(
                $"This zstd data needs a window of {window} bytes, more than the {_maxWindowBytes} allowed.");
        _inputStart += 5 + (isSingle ? 0 : 1) + dictionaryBytes + sizeBytes;
        _windowBytes = (int)window;
        _hasChecksum = (descriptor & 4) != 0;
        _hash = new RunningXxHash64();
        _decoder.Reset();
        _isInFrame = true;
        _produced = 0;
        _read = _written = 0;
        return true;
    }

    private void EndFrame()
    {
        if (_contentBytes >= 0 && _produced != _contentBytes)
            throw Damaged("a frame is shorter than it says");
        if (_hasChecksum)
        {
            Require(4);
            if (BinaryPrimitives.ReadUInt32LittleEndian(_input.AsSpan(_inputStart)) != (uint)_hash.Value)
                throw Damaged("the checksum of a frame is wrong");
            _inputStart += 4;
        }
        _isInFrame = false;
    }

    /// <summary>Makes room for a block behind what a match may refer to. All output has been delivered.</summary>
    private void EnsureRoom(int limit)
    {
        if (_output.Length - Slack - _written >= limit)
            return;
        var most = _windowBytes + Math.Max(_windowBytes / 2, ZstdFormat.MaxBlockBytes * 4);
        var keep = Math.Min(_written, _windowBytes);
        var target = _output;
        if (_output.Length - Slack < most)
            target = new byte[(int)Math.Min(most, Math.Max(_output.Length * 2L, keep + (long)limit)) + Slack];
        if (target.Length - Slack - keep < limit)
            target = new byte[most + Slack];
        Buffer.BlockCopy(_output, _written - keep, target, 0, keep);
        _output = target;
        _read = _written = keep;
    }

    private void Skip(long count)
    {
        while (count > 0)
        {
            if (!Fill(1))
                throw Truncated();
            var now = (int)Math.Min(count, _inputEnd - _inputStart);
            _inputStart += now;
            count -= now;
        }
    }

    private void Require(int count)
    {
        if (!Fill(count))
            throw Truncated();
    }

    /// <summary>Reads until so many bytes are there; false when the source ends before.</summary>
    private bool Fill(int count)
    {
        if (_inputEnd - _inputStart >= count)
            return true;
        if (_inputStart > Slack)
        {
            Buffer.BlockCopy(_input, _inputStart, _input, Slack, _inputEnd - _inputStart);
            (_inputStart, _inputEnd) = (Slack, _inputEnd - _inputStart + Slack);
        }
        while (_inputEnd - _inputStart < count)
        {
            var read = _source.Read(_input, _inputEnd, _input.Length - Slack - _inputEnd);
            if (read == 0)
                return false;
            _inputEnd += read;
        }
        return true;
    }

    private static InvalidDataException Truncated() => new("The zstd data ends in the middle of a frame: it was cut off.");

    private static InvalidDataException Damaged(string how) => new($"Damaged zstd data: {how}.");

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing && !_leaveOpen)
            _source.Dispose();
        base.Dispose(disposing);
    }
}

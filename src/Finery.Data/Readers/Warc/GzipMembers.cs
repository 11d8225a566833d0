using System.Buffers.Binary;
using System.IO.Compression;
using Finery.Data.Compression;

namespace Finery.Data.Readers.Warc;

/// <summary>
/// Decompresses gzip one member at a time, so that a damaged member costs no other: <see cref="GZipStream"/> reads on across
/// members and says neither where one ends nor where the damage lies. Used by one thread.
/// </summary>
/// <remarks>
/// <see cref="DeflateStream"/> does not say how much of its input it used. A member ends with its check sum and length (RFC
/// 1952), eight bytes known once its content is: they are looked for in the last piece of input, which verifies the member and
/// gives its end.
/// </remarks>
internal sealed class GzipMembers(BufferedInput input, double maxRatio) : IDisposable
{
    private const int TrailerBytes = 8;
    private const long RatioFreeBytes = 1 << 20;
    private readonly Feed _feed = new(input);
    private DeflateStream? _deflate;
    private uint _crc;
    private long _length;

    /// <summary>Offset of the member opened last.</summary>
    public long MemberStart { get; private set; }

    /// <summary>Whether the member opened last was given up because it expands too much.</summary>
    public bool IsBomb { get; private set; }

    /// <summary>Opens the member at the input's position.</summary>
    /// <returns>False, having passed nothing, if none starts there.</returns>
    public bool TryOpen()
    {
        Close();
        MemberStart = input.Position;
        var header = HeaderLength(input.Peek(1 << 16));
        if (header == 0)
            return false;
        input.Advance(header);
        _feed.LastStart = input.Position;
        _deflate = new DeflateStream(_feed, CompressionMode.Decompress, leaveOpen: true);
        (_crc, _length, IsBomb) = (0, 0, false);
        return true;
    }

    /// <summary>Reads content of the member.</summary>
    /// <returns>0 once the member has ended and its check sum was right; the input then stands at what follows it.</returns>
    /// <exception cref="InvalidDataException">The member is damaged, truncated or expands beyond the ratio allowed.</exception>
    public int Read(Span<byte> target)
    {
        if (_deflate is null)
            return 0;
        var read = _deflate.Read(target);
        if (read == 0)
        {
            VerifyEnd();
            Close();
            return 0;
        }
        _crc = Crc32.Append(_crc, target[..read]);
        _length += read;
        if (_length > RatioFreeBytes && _length > maxRatio * (input.Position - MemberStart))
        {
            IsBomb = true;
            throw new InvalidDataException($"a gzip member expands more than {maxRatio}:1");
        }
        return read;
    }

    /// <summary>Leaves the member; the input's position is then undefined.</summary>
    public void Close()
    {
        _deflate?.Dispose();
        _deflate = null;
    }

    public void Dispose()
    {
        Close();
        input.Dispose();
    }

    private void VerifyEnd()
    {
        Span<byte> trailer = stackalloc byte[TrailerBytes];
        BinaryPrimitives.WriteUInt32LittleEndian(trailer, _crc);
        BinaryPrimitives.WriteUInt32LittleEndian(trailer[4..], (uint)_length);
        var searched = (int)(input.Position - _feed.LastStart) + TrailerBytes;
        input.Seek(_feed.LastStart);
        var tail = input.Peek(searched);
        var at = tail[..Math.Min(tail.Length, searched)].IndexOf(trailer);
        if (at < 0)
            throw new InvalidDataException("a gzip member is truncated or its check sum is wrong");
        input.Advance(at + TrailerBytes);
    }

    /// <summary>Length of the member header at the start of <paramref name="bytes"/>; 0 if there is none.</summary>
    private static int HeaderLength(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < 10 || bytes is not [0x1F, 0x8B, 8, ..] || (bytes[3] & 0xE0) != 0)
            return 0;
        var flags = bytes[3];
        var length = 10;
        if ((flags & 4) != 0)
        {
            if (bytes.Length < 12)
                return 0;
            length = 12 + BinaryPrimitives.ReadUInt16LittleEndian(bytes[10..]);
        }
        for (var text = 8; text <= 16; text *= 2) // file name, comment
        {
            if ((flags & text) == 0)
                continue;
            var end = length < bytes.Length ? bytes[length..].IndexOf((byte)0) : -1;
            if (end < 0)
                return 0;
            length += end + 1;
        }
        if ((flags & 2) != 0)
            length += 2;
        return length < bytes.Length ? length : 0;
    }

    /// <summary>Hands out the input in pieces small enough to step back over.</summary>
    private sealed class Feed(BufferedInput input) : ForwardStream
    {
        public long LastStart { get; set; }

        public override bool CanRead => true;

        public override int Read(Span<byte> buffer)
        {
            LastStart = input.Position;
            return input.Read(buffer[..Math.Min(buffer.Length, BufferedInput.History / 2)]);
        }
    }
}

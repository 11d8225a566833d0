using System.IO.Compression;

namespace Finery.Data.Compression;

/// <summary>How bytes are compressed.</summary>
public enum CompressionKind
{
    /// <summary>Not at all.</summary>
    None,

    /// <summary>Gzip members.</summary>
    Gzip,

    /// <summary>Zstandard frames.</summary>
    Zstd,
}

/// <summary>
/// Reads what a stream holds, decompressed where its first bytes are those of gzip or Zstandard, within
/// <see cref="DecompressionLimits"/>: beyond them, and on damage, reading is an <see cref="InvalidDataException"/>.
/// </summary>
public sealed class DecompressedStream : ForwardStream
{
    private readonly CountingStream _source;
    private readonly Stream _content;
    private readonly DecompressionLimits _limits;
    private long _produced;

    /// <summary>Reads from where the source stands.</summary>
    /// <param name="source">Disposed with this stream.</param>
    /// <param name="limits">Null for the defaults.</param>
    /// <param name="kind">How it is compressed; null to look at the first bytes, for which the source must be able to
    /// seek.</param>
    public DecompressedStream(Stream source, DecompressionLimits? limits = null, CompressionKind? kind = null)
    {
        _limits = limits ?? new();
        Kind = kind ?? KindOf(source);
        _source = new CountingStream(source);
        _content = Kind switch
        {
            CompressionKind.Gzip => new GZipStream(_source, CompressionMode.Decompress),
            CompressionKind.Zstd => new ZstdReadStream(_source, _limits.MaxWindowBytes),
            _ => _source,
        };
    }

    /// <summary>How the source is compressed.</summary>
    public CompressionKind Kind { get; }

    /// <summary>Bytes taken from the source so far.</summary>
    public long SourceBytes => _source.Count;

    /// <summary>What the bytes from here on look like; the position stays.</summary>
    public static CompressionKind KindOf(Stream source)
    {
        Span<byte> start = stackalloc byte[4];
        var position = source.Position;
        start = start[..source.ReadAtLeast(start, start.Length, throwOnEndOfStream: false)];
        source.Position = position;
        return start is [0x1F, 0x8B, ..] ? CompressionKind.Gzip : ZstdReadStream.IsZstd(start) ? CompressionKind.Zstd
            : CompressionKind.None;
    }

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    /// <exception cref="InvalidDataException">The data is damaged, or beyond the limits.</exception>
    public override int Read(Span<byte> buffer)
    {
        var count = _content.Read(buffer);
        if (Kind == CompressionKind.None)
            return count;
        _produced += count;
        if (_limits.MaxBytes > 0 && _produced > _limits.MaxBytes)
            throw new InvalidDataException($"It decompresses to more than the {_limits.MaxBytes} bytes allowed.");
        if (_limits.MaxRatio > 0 && _produced > _limits.FreeBytes && _produced > _limits.MaxRatio * _source.Count)
            throw new InvalidDataException($"It decompresses to more than {_limits.MaxRatio} times its size: "
                + $"{_produced} bytes of {_source.Count}. Raise the ratio allowed if the file can be trusted.");
        return count;
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _content.Dispose();
        base.Dispose(disposing);
    }

    private sealed class CountingStream(Stream source) : ForwardStream
    {
        public long Count { get; private set; }

        public override bool CanRead => true;

        public override int Read(Span<byte> buffer)
        {
            var count = source.Read(buffer);
            Count += count;
            return count;
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                source.Dispose();
            base.Dispose(disposing);
        }
    }
}

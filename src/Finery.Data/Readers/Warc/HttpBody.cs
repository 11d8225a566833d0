using System.Buffers.Text;
using System.IO.Compression;
using System.Runtime.InteropServices;
using Finery.Data.Compression;

namespace Finery.Data.Readers.Warc;

/// <summary>What became of an HTTP body.</summary>
internal enum BodyOutcome
{
    /// <summary>Decoded as its headers say, or not encoded at all.</summary>
    Whole,

    /// <summary>Decoded up to where it is truncated or damaged.</summary>
    Partial,

    /// <summary>Larger than allowed.</summary>
    TooLarge,

    /// <summary>Expands more than allowed.</summary>
    Bomb,

    /// <summary>Encoded in a way not known, too often, or not as said.</summary>
    Undecodable,
}

/// <summary>Undoes the transfer and content encodings of HTTP bodies, with buffers that are used again. Used by one
/// thread.</summary>
internal sealed class HttpBody(int maxBytes, double maxRatio)
{
    private const int MaxEncodings = 4;
    private const int RatioFreeBytes = 1 << 20;
    private readonly byte[][] _buffers = [[], []];

    /// <summary>Whether the body said to be in chunks was not, or not throughout.</summary>
    public bool HasBadChunks { get; private set; }

    /// <summary>Decodes a body. The result is valid until the next call.</summary>
    public BodyOutcome Decode(HttpMessage message, out ReadOnlyMemory<byte> body)
    {
        body = message.Body;
        HasBadChunks = false;
        var outcome = BodyOutcome.Whole;
        var target = 0;
        if (message.Fields.Joined("Transfer-Encoding")?.Contains("chunked", StringComparison.OrdinalIgnoreCase) == true)
        {
            body = Dechunk(body, ref _buffers[0], out var isComplete, out var hasBadChunks);
            HasBadChunks = hasBadChunks;
            outcome = isComplete ? BodyOutcome.Whole : BodyOutcome.Partial;
            target = 1;
        }
        var encodings = (message.Fields.Joined("Content-Encoding") ?? "").Split(
            ',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        if (encodings.Length > MaxEncodings)
            return BodyOutcome.Undecodable;
        foreach (var encoding in encodings.Reverse())
        {
            var undone = Undo(encoding.ToLowerInvariant(), body, ref _buffers[target], out var decoded);
            if (undone is BodyOutcome.TooLarge or BodyOutcome.Bomb or BodyOutcome.Undecodable)
                return undone;
            if (undone == BodyOutcome.Partial)
                outcome = BodyOutcome.Partial;
            body = decoded;
            target = 1 - target;
        }
        return body.Length > maxBytes ? BodyOutcome.TooLarge : outcome;
    }

    /// <summary>Undoes one encoding. Archives often hold the decoded body under the original headers, so that a body without the
    /// marks of the encoding is taken as it is.</summary>
    private BodyOutcome Undo(string encoding, ReadOnlyMemory<byte> body, ref byte[] buffer, out ReadOnlyMemory<byte> decoded)
    {
        decoded = body;
        var bytes = body.Span;
        switch (encoding)
        {
            case "gzip" or "x-gzip" or "deflate" or "x-deflate" when bytes is [0x1F, 0x8B, 8, ..]:
                return Inflate(body, s => new GZipStream(s, CompressionMode.Decompress), ref buffer, out decoded);
            case "deflate" or "x-deflate" when bytes is [var method, var check, ..]
                && (method & 15) == 8 && (method * 256 + check) % 31 == 0:
                return Inflate(body, s => new ZLibStream(s, CompressionMode.Decompress), ref buffer, out decoded);
            case "deflate" or "x-deflate" when !LooksLikeText(bytes):
                return Inflate(body, s => new DeflateStream(s, CompressionMode.Decompress), ref buffer, out decoded);
            case "br" when !LooksLikeText(bytes):
                return Inflate(body, s => new BrotliStream(s, CompressionMode.Decompress), ref buffer, out decoded);
            case "zstd" when bytes is [0x28, 0xB5, 0x2F, 0xFD, ..]:
                return Inflate(body, s => new ZstdReadStream(s), ref buffer, out decoded);
            default:
                return bytes.IsEmpty || encoding is "identity" or "none" || LooksLikeText(bytes)
                    ? BodyOutcome.Whole : BodyOutcome.Undecodable;
        }
    }

    private BodyOutcome Inflate(
        ReadOnlyMemory<byte> body, Func<Stream, Stream> open, ref byte[] buffer, out ReadOnlyMemory<byte> decoded)
    {
        decoded = default;
        var segment = MemoryMarshal.TryGetArray(body, out var array) ? array : new ArraySegment<byte>(body.ToArray());
        using var source = new MemoryStream(segment.Array!, segment.Offset, segment.Count, writable: false);
        using var stream = open(source);
        var length = 0;
        var outcome = BodyOutcome.Whole;
        try
        {
            while (true)
            {
                if (length == buffer.Length)
                    Array.Resize(ref buffer, Math.Max(1 << 16, buffer.Length * 2));
                var read = stream.Read(buffer, length, buffer.Length - length);
                if (read == 0)
                    break;
                length += read;
                if (length > RatioFreeBytes && length > maxRatio * body.Length)
                    return BodyOutcome.Bomb;
                if (length > maxBytes)
                    return BodyOutcome.TooLarge;
            }
        }
        catch (Exception e) when (e is InvalidDataException or InvalidOperationException)
        {
            outcome = BodyOutcome.Partial; // what came before the damage is still text
        }
        decoded = buffer.AsMemory(0, length);
        return length == 0 && body.Length > 0 && outcome == BodyOutcome.Partial ? BodyOutcome.Undecodable : outcome;
    }

    /// <summary>Joins the chunks of a body. Where no chunk size stands, the rest is taken as it is.</summary>
    private static ReadOnlyMemory<byte> Dechunk(
        ReadOnlyMemory<byte> body, ref byte[] buffer, out bool isComplete, out bool hasBadChunks)
    {
        (isComplete, hasBadChunks) = (false, false);
        if (buffer.Length < body.Length)
            buffer = new byte[body.Length];
        var length = 0;
        var bytes = body.Span;
        while (!bytes.IsEmpty)
        {
            if (!TryChunkSize(bytes, out var size, out var start))
            {
                hasBadChunks = isComplete = true;
                bytes.CopyTo(buffer.AsSpan(length));
                length += bytes.Length;
                break;
            }
            if (size == 0)
            {
                isComplete = true;
                break;
            }
            var count = (int)Math.Min(size, bytes.Length - start);
            bytes.Slice(start, count).CopyTo(buffer.AsSpan(length));
            length += count;
            bytes = bytes[(start + count)..];
            bytes = bytes.StartsWith("\r\n"u8) ? bytes[2..] : bytes.StartsWith("\n"u8) ? bytes[1..] : bytes;
        }
        return buffer.AsMemory(0, length);
    }

    private static bool TryChunkSize(ReadOnlySpan<byte> bytes, out long size, out int start)
    {
        (size, start) = (0, 0);
        var lineEnd = bytes[..Math.Min(bytes.Length, 1024)].IndexOf((byte)'\n');
        if (lineEnd < 0)
            return false;
        var line = bytes[..lineEnd];
        var extension = line.IndexOf((byte)';');
        line = (extension < 0 ? line : line[..extension]).Trim(" \t\r"u8);
        start = lineEnd + 1;
        return line.Length is > 0 and < 16 && Utf8Parser.TryParse(line, out size, out var used, 'x') && used == line.Length;
    }

    private static bool LooksLikeText(ReadOnlySpan<byte> bytes)
    {
        var sample = bytes[..Math.Min(bytes.Length, 256)];
        var controls = 0;
        foreach (var value in sample)
            controls += value < 32 && value is not ((byte)'\t' or (byte)'\n' or (byte)'\r' or 12) ? 1 : 0;
        return controls == 0 && !sample.IsEmpty;
    }
}

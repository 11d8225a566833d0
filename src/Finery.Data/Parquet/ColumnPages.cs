using Finery.Data.Compression;
using Finery.Data.Readers.Remote;

namespace Finery.Data.Parquet;

/// <summary>What stands before a page.</summary>
internal sealed record PageHeader
{
    public int Kind { get; init; }

    public int Uncompressed { get; init; }

    public int Compressed { get; init; }

    public uint? Checksum { get; init; }

    public int Values { get; init; }

    public int Encoding { get; init; }

    public int DefinitionEncoding { get; init; } = 3;

    public int RepetitionEncoding { get; init; } = 3;

    public int DefinitionBytes { get; init; }

    public int RepetitionBytes { get; init; }

    public bool IsCompressed { get; init; } = true;

    /// <summary>Reads a header; <see cref="EndOfStreamException"/> when it goes on beyond the bytes given.</summary>
    public static PageHeader Read(ReadOnlySpan<byte> bytes, out int length)
    {
        var reader = new ThriftReader(bytes);
        var header = new PageHeader { Kind = -1 };
        var id = reader.Begin();
        while (reader.NextField(ref id, out var type))
            switch (id, type)
            {
                case (1, ThriftType.Int32): header = header with { Kind = reader.Int32() }; break;
                case (2, ThriftType.Int32): header = header with { Uncompressed = reader.Int32() }; break;
                case (3, ThriftType.Int32): header = header with { Compressed = reader.Int32() }; break;
                case (4, ThriftType.Int32): header = header with { Checksum = (uint)reader.Int32() }; break;
                case (5 or 7 or 8, ThriftType.Struct): header = ReadValues(ref reader, header, isSecond: id == 8); break;
                default: reader.Skip(type); break;
            }
        length = reader.Position;
        return header.Compressed >= 0 && header.Uncompressed >= 0 && header.Values >= 0 ? header
            : throw new InvalidDataException("Damaged Parquet page: its header has negative lengths.");
    }

    private static PageHeader ReadValues(ref ThriftReader reader, PageHeader header, bool isSecond)
    {
        var id = reader.Begin();
        while (reader.NextField(ref id, out var type))
            switch (id, type, isSecond)
            {
                case (1, ThriftType.Int32, _): header = header with { Values = reader.Int32() }; break;
                case (2, ThriftType.Int32, false): header = header with { Encoding = reader.Int32() }; break;
                case (3, ThriftType.Int32, false): header = header with { DefinitionEncoding = reader.Int32() }; break;
                case (4, ThriftType.Int32, false): header = header with { RepetitionEncoding = reader.Int32() }; break;
                case (4, ThriftType.Int32, true): header = header with { Encoding = reader.Int32() }; break;
                case (5, ThriftType.Int32, true): header = header with { DefinitionBytes = reader.Int32() }; break;
                case (6, ThriftType.Int32, true): header = header with { RepetitionBytes = reader.Int32() }; break;
                case (7, ThriftType.True or ThriftType.False, true):
                    header = header with { IsCompressed = type == ThriftType.True };
                    break;
                default: reader.Skip(type); break;
            }
        return header;
    }
}

/// <summary>Reads the pages of a column chunk one after another.</summary>
internal sealed class ColumnPages(RandomInput file, long start, long end, int maxPageBytes)
{
    private byte[] _buffer = new byte[1 << 16];
    private long _next = start;
    private int _start, _end;

    /// <summary>Bytes read from the file.</summary>
    public long BytesRead { get; private set; }

    /// <summary>The next page; its body is valid until the next call.</summary>
    /// <exception cref="InvalidDataException">It is damaged, or larger than allowed.</exception>
    public PageHeader Next(out ReadOnlySpan<byte> body)
    {
        var header = Header();
        if (header.Compressed > maxPageBytes || header.Uncompressed > maxPageBytes)
            throw new InvalidDataException(
                $"A Parquet page has {Math.Max(header.Compressed, header.Uncompressed)} bytes, "
                + $"more than the {maxPageBytes} allowed.");
        if (!Fill(header.Compressed))
            throw new InvalidDataException("Damaged Parquet page: it is cut off.");
        body = _buffer.AsSpan(_start, header.Compressed);
        _start += header.Compressed;
        return header.Checksum is { } checksum && Crc32.Of(body) != checksum
            ? throw new InvalidDataException("Damaged Parquet page: its checksum is wrong.") : header;
    }

    private PageHeader Header()
    {
        // Headers hold statistics, which may be as long as a value.
        for (var wanted = 1 << 10; ; wanted *= 8)
        {
            var isAll = !Fill(wanted);
            try
            {
                var header = PageHeader.Read(_buffer.AsSpan(_start, _end - _start), out var length);
                _start += length;
                return header;
            }
            catch (EndOfStreamException e)
            {
                if (isAll || wanted >= 1 << 24)
                    throw new InvalidDataException("Damaged Parquet file: the header of a page is cut off.", e);
            }
        }
    }

    /// <summary>Reads until so many bytes are there; false when there are fewer.</summary>
    private bool Fill(int count)
    {
        if (_end - _start >= count)
            return true;
        var wanted = (int)Math.Min(count, Math.Max(0, end - _next) + _end - _start);
        if (_buffer.Length - _start < wanted)
        {
            var larger = Math.Max(wanted, (int)Math.Min(_buffer.Length * 2L, maxPageBytes));
            var target = _buffer.Length >= wanted ? _buffer : new byte[larger];
            Buffer.BlockCopy(_buffer, _start, target, 0, _end - _start);
            (_buffer, _start, _end) = (target, 0, _end - _start);
        }
        while (_end - _start < wanted)
        {
            var read = file.Read(_buffer.AsSpan(_end, (int)Math.Min(_buffer.Length - _end, end - _next)), _next);
            if (read == 0)
                return false;
            _next += read;
            _end += read;
            BytesRead += read;
        }
        return wanted == count;
    }
}

using System.Text;
using System.Text.Unicode;
using Finery.Data.Compression;
using Finery.Data.Readers.Remote;

namespace Finery.Data.Readers;

/// <summary>Goes through a part of a JSON Lines file.</summary>
internal sealed class JsonLinesCursor : DocumentCursor
{
    private readonly InputPart _part;
    private readonly ReadReport _report;
    private readonly DecompressedStream _stream;
    private readonly ByteLines _lines;
    private readonly JsonRowParser _parser;
    private readonly string _source;
    private readonly bool _isPlain;

    // Where in a plain file the first line that is read starts.
    private readonly long _offset;
    private long _linesBefore;
    private bool _isAtEnd;

    public JsonLinesCursor(JsonLinesReader reader, InputPart part, Stream file, ReadReport report, long position)
    {
        (_part, _report) = (part, report);
        _source = part.Path.Replace('\\', '/');
        _parser = new JsonRowParser(reader.TextKey, reader.IdKey);
        _isPlain = DecompressedStream.KindOf(file) == CompressionKind.None;
        if (_isPlain)
        {
            // The byte before the part tells whether a line starts with it.
            _offset = position > 0 ? position : Math.Max(0, part.Start - 1);
            file.Position = Math.Min(_offset, file.Length);
            _linesBefore = _offset == 0 ? 0 : -1;
        }
        // At a cut, the bytes of a plain file may look like any format.
        _stream = new DecompressedStream(file, reader.Decompression, _isPlain ? CompressionKind.None : null);
        _lines = new ByteLines(_stream, reader.MaxLineBytes);
        if (_isPlain && position == 0 && part.Start > 0)
            _isAtEnd = !TryReadLine(out _, out _);
        for (var i = 0L; !_isPlain && i < position && !_isAtEnd; i++)
            _isAtEnd = !TryReadLine(out _, out _);
    }

    /// <inheritdoc/>
    public override long Position => _isPlain ? _offset + _lines.Consumed : _lines.LineNumber;

    /// <inheritdoc/>
    public override long BytesRead => _isPlain ? Math.Max(0, Position - _part.Start) : _stream.SourceBytes;

    /// <inheritdoc/>
    public override Document? Read()
    {
        while (!_isAtEnd && (!_isPlain || Position < _part.End))
        {
            if (!TryReadLine(out var line, out var tooLong))
            {
                _isAtEnd = true;
                break;
            }
            if (tooLong)
                _report.Skip("line_too_long", Where());
            else if (Parse(line.Span) is { } document)
                return _report.Count(document);
        }
        return null;
    }

    private bool TryReadLine(out ReadOnlyMemory<byte> line, out bool tooLong)
    {
        try
        {
            return _lines.TryRead(out line, out tooLong);
        }
        catch (Exception e) when (e is InvalidDataException or IOException)
        {
            _report.Skip("damaged_file", $"{_part.Path}:{_lines.LineNumber + 1} ({e.Message})");
            (line, tooLong) = (default, false);
            return false;
        }
    }

    private Document? Parse(ReadOnlySpan<byte> line)
    {
        if (line is [0xEF, 0xBB, 0xBF, ..])
            line = line[3..];
        if (line.Trim(" \t"u8).IsEmpty)
            return null;
        if (!Utf8.IsValid(line))
        {
            line = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(line));
            _report.Repair("invalid_encoding", Where());
        }
        if (_parser.Parse(line, out var document) is { } reason)
            _report.Skip(reason, Where());
        return document is { Id: "" } ? document with { Id = $"{_source}/{LineNumber()}" } : document;
    }

    /// <summary>The line's number in a file read from the start; else where it ends.</summary>
    private string Where() =>
        _linesBefore >= 0 ? $"{_part.Path}:{_linesBefore + _lines.LineNumber}" : $"{_part.Path}: line before byte {Position}";

    /// <summary>Number of the line in the whole file. In a part from the middle, the lines before it are counted when the first
    /// id asks for it.</summary>
    private long LineNumber()
    {
        if (_linesBefore < 0)
        {
            using var file = InputFile.Open(_part.Path);
            var buffer = new byte[1 << 18];
            _linesBefore = 0;
            for (var left = _offset; left > 0;)
            {
                var count = file.Read(buffer, 0, (int)Math.Min(left, buffer.Length));
                if (count == 0)
                    break;
                _linesBefore += buffer.AsSpan(0, count).Count((byte)'\n');
                left -= count;
            }
        }
        return _linesBefore + _lines.LineNumber;
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        _stream.Dispose();
        base.Dispose();
    }
}

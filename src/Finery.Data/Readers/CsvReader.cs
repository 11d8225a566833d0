using System.Text.Json.Nodes;
using Finery.Data.Compression;
using Finery.Data.Readers.Encodings;

namespace Finery.Data.Readers;

/// <summary>
/// Tables as text (<c>.csv</c>, <c>.tsv</c>; RFC 4180; gzip and Zstandard recognised by content) whose first row names the
/// columns: one row, one document; columns other than text and id become metadata. The encoding is found out as for pages. A
/// part is a file, since a line end may lie within quotes.
/// </summary>
/// <remarks>Counts as skipped: <c>no_text_column</c>, <c>no_text</c> (a row too short to have one), <c>empty_text</c>,
/// <c>row_too_long</c>, <c>damaged_file</c>, <c>unreadable_file</c>; as repaired: <c>ragged_row</c>, <c>invalid_encoding</c>,
/// <c>unclosed_quote</c>.</remarks>
public sealed record CsvReader : FileReader
{
    private const int SampleCharacters = 1 << 16;

    /// <summary>Name of the column of the text.</summary>
    public string TextKey { get; init; } = "text";

    /// <summary>Name of the column of the id; without one the id is <c>path/line</c>.</summary>
    public string IdKey { get; init; } = "id";

    /// <summary>What separates fields, one character; empty to find out: the most frequent of comma, semicolon, tab and bar in
    /// the first row.</summary>
    public string Delimiter { get; init; } = "";

    /// <summary>Names of the columns if the files have no row that names them.</summary>
    public IReadOnlyList<string> Columns { get; init; } = [];

    /// <summary>Rows above this many UTF-16 units are skipped as <c>row_too_long</c>.</summary>
    public int MaxRowLength { get; init; } = 32 << 20;

    /// <summary>Reports settings that cannot work.</summary>
    public IEnumerable<(string Property, string Message)> Validate()
    {
        if (Delimiter.Length > 1 || Delimiter is "\"" or "\r" or "\n")
            yield return (nameof(Delimiter), "must be one character, no quote or line end, or empty");
        if (Columns.Count > 0 && !Columns.Contains(TextKey))
            yield return (nameof(Columns), $"must name the column of the text, '{TextKey}'");
        if (MaxRowLength < 1)
            yield return (nameof(MaxRowLength), "must be at least 1");
    }

    /// <inheritdoc/>
    public override IReadOnlyList<InputPart> Parts(long partBytes) =>
        [.. FileGlob.ExpandAll(Paths).Select(path => new InputPart(path))];

    /// <inheritdoc/>
    public override DocumentCursor Open(InputPart part, ReadReport report, long position = 0) =>
        new Cursor(this, part.Path, report, position);

    /// <summary>The likeliest delimiter of a text, by its first row outside quotes.</summary>
    internal static char SniffDelimiter(ReadOnlySpan<char> sample, string path)
    {
        ReadOnlySpan<char> delimiters = path.Contains(".tsv", StringComparison.OrdinalIgnoreCase) ? "\t,;|" : ",;\t|";
        Span<int> counts = stackalloc int[delimiters.Length];
        var isQuoted = false;
        foreach (var c in sample)
        {
            if (c is '\n' or '\r' && !isQuoted && counts.ContainsAnyExcept(0))
                break;
            if (c == '"')
                isQuoted = !isQuoted;
            else if (!isQuoted && delimiters.IndexOf(c) is >= 0 and var i)
                counts[i]++;
        }
        var best = 0;
        for (var i = 1; i < counts.Length; i++)
            if (counts[i] > counts[best])
                best = i;
        return delimiters[best];
    }

    private sealed class Cursor : DocumentCursor
    {
        private readonly CsvReader _settings;
        private readonly string _path;
        private readonly ReadReport _report;
        private readonly DecompressedStream? _file;
        private readonly TextReader? _reader;
        private readonly CsvRows? _rows;
        private readonly List<string> _row = [];
        private readonly List<string> _columns = [];
        private readonly int _text = -1;
        private readonly int _id = -1;
        private long _count;

        public Cursor(CsvReader settings, string path, ReadReport report, long position)
        {
            (_settings, _path, _report) = (settings, path, report);
            try
            {
                _file = CompressedFile.Open(path);
                if (position == 0)
                    report.CountFile();
                _reader = OpenText(_file, out var sample);
                var delimiter = settings.Delimiter.Length > 0 ? settings.Delimiter[0] : SniffDelimiter(sample, path);
                _rows = new CsvRows(_reader, delimiter, settings.MaxRowLength);
                if (settings.Columns.Count > 0)
                    _columns.AddRange(settings.Columns);
                else if (_rows.TryRead(_columns) && _columns.Count > 0)
                    _columns[0] = _columns[0].TrimStart('\uFEFF');
                (_text, _id) = (_columns.IndexOf(settings.TextKey), _columns.IndexOf(settings.IdKey));
                if (_text < 0)
                    Stop(_columns.Count == 0 ? "empty_file" : "no_text_column", position, ref _rows,
                        $" (no column '{settings.TextKey}' among: {string.Join(", ", _columns.Take(20))})");
                while (_count < position && _rows?.TryRead(_row) == true)
                    _count++;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
            {
                Stop(e is InvalidDataException ? "damaged_file" : "unreadable_file", 0, ref _rows, $" ({e.Message})");
            }
        }

        public override long Position => _count;

        public override long BytesRead => _file?.SourceBytes ?? 0;

        public override Document? Read()
        {
            if (_rows is null)
                return null;
            try
            {
                while (_rows.TryRead(_row))
                {
                    _count++;
                    if (ToDocument() is { } document)
                        return _report.Count(document);
                }
            }
            catch (Exception e) when (e is InvalidDataException or IOException)
            {
                _report.Skip("damaged_file", $"{_path}:{_rows.Line} ({e.Message})");
            }
            return null;
        }

        public override void Dispose()
        {
            _reader?.Dispose();
            _file?.Dispose();
            base.Dispose();
        }

        /// <summary>Decodes by what the start of the stream looks like.</summary>
        private static StreamReader OpenText(Stream stream, out string sample)
        {
            var head = new byte[SampleCharacters];
            head = head[..stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false)];
            // A sample may end within a character: it is cut at its last line end.
            var end = head.Length < SampleCharacters ? head.Length : head.AsSpan().LastIndexOf((byte)'\n') + 1;
            var decoded = TextDecoder.Decode(head.AsSpan(0, end == 0 ? head.Length : end));
            sample = decoded.Text;
            return new StreamReader(
                new PrefixedStream(head, stream), EncodingLabels.Get(decoded.Charset), detectEncodingFromByteOrderMarks: true);
        }

        private void Stop(string reason, long position, ref CsvRows? rows, string detail)
        {
            if (position == 0)
                _report.Skip(reason, _path + detail);
            rows = null;
        }

        private Document? ToDocument()
        {
            var where = $"{_path}:{_rows!.Line}";
            if (_rows.IsTooLong)
                return Skip("row_too_long", where);
            if (_rows.IsUnclosed)
                _report.Repair("unclosed_quote", where);
            if (_row.Count != _columns.Count)
                _report.Repair("ragged_row", where);
            if (_row.Count <= _text)
                return Skip("no_text", where);
            var text = _row[_text];
            if (string.IsNullOrWhiteSpace(text))
                return Skip("empty_text", where);
            if (text.Contains('\uFFFD'))
                _report.Repair("invalid_encoding", where);
            var metadata = new JsonObject();
            for (var i = 0; i < Math.Min(_row.Count, _columns.Count); i++)
                if (i != _text && i != _id && _row[i].Length > 0)
                    metadata[_columns[i]] = _row[i];
            var id = _id >= 0 && _id < _row.Count && _row[_id].Length > 0
                ? _row[_id] : $"{_path.Replace('\\', '/')}/{_rows.Line}";
            return new Document(id, text) { Metadata = metadata };
        }

        private Document? Skip(string reason, string where)
        {
            _report.Skip(reason, where);
            return null;
        }
    }
}

using System.Text.Json.Nodes;
using Finery.Data.Readers.Encodings;

namespace Finery.Data.Readers.Warc;

/// <summary>
/// The pages of web crawls: WARC (HTML of <c>response</c> and <c>resource</c> records, decoded to Unicode, markup kept) and WET
/// (text of <c>conversion</c> records), plain or gzip, recognised by content. A document's id is the record's, its metadata are
/// <c>url</c>, <c>date</c>, <c>media_type</c>, <c>charset</c>, <c>file_path</c>, <c>truncated</c> where the end is missing, and, where the
/// archive says, <c>content_languages</c>.
/// </summary>
/// <remarks>
/// Counts as skipped: <c>http_status</c>, <c>not_text</c>, <c>pdf</c>, <c>revisit</c>, <c>record_too_large</c>,
/// <c>compression_bomb</c>, <c>bad_http</c>, <c>bad_content_encoding</c>, <c>empty_text</c>, <c>not_warc</c>,
/// <c>unreadable_file</c>, and what <see cref="WarcRecords"/> counts. As repaired: <c>invalid_encoding</c>, <c>bad_chunking</c>,
/// <c>truncated_record</c> (the archive says so, or the body ends early), <c>record_length</c>. Requests, metadata and types
/// unknown are passed in silence.
/// </remarks>
public sealed record WarcReader : FileReader
{
    private readonly int _maxRecordBytes = 16 << 20;
    private readonly double _maxRatio = 200;

    /// <summary>Records and decoded bodies above this many bytes are skipped as <c>record_too_large</c>, without being
    /// read.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Not from 1 KB to 1 GB.</exception>
    public int MaxRecordBytes
    {
        get => _maxRecordBytes;
        init => _maxRecordBytes = value is >= 1 << 10 and <= 1 << 30 ? value
            : throw new ArgumentOutOfRangeException(nameof(value), value, "MaxRecordBytes must be from 1024 to 1073741824.");
    }

    /// <summary>Gzip members and bodies that expand more than this, beyond their first megabyte, are skipped as
    /// <c>compression_bomb</c>. (Gzip reaches 1032:1 on zeros; pages rarely 20:1.)</summary>
    /// <exception cref="ArgumentOutOfRangeException">Below 1.</exception>
    public double MaxRatio
    {
        get => _maxRatio;
        init => _maxRatio = value >= 1 ? value
            : throw new ArgumentOutOfRangeException(nameof(value), value, "MaxRatio must be at least 1.");
    }

    /// <summary>Whether pages with a status other than 200 to 299 are read too.</summary>
    public bool KeepFailedResponses { get; init; }

    /// <inheritdoc/>
    public override IReadOnlyList<InputPart> Parts(long partBytes) =>
        [.. FileGlob.ExpandAll(Paths).SelectMany(path => WarcParts.Cut(path, partBytes, Limits))];

    /// <inheritdoc/>
    public override DocumentCursor Open(InputPart part, ReadReport report, long position = 0) =>
        new Cursor(this, part, report, position);

    internal WarcLimits Limits => new(Ratio: MaxRatio);

    private sealed class Cursor : DocumentCursor
    {
        private readonly WarcReader _reader;
        private readonly InputPart _part;
        private readonly ReadReport _report;
        private readonly HttpBody _body;
        private readonly WarcRecords? _records;
        private readonly string _filePath;
        private bool _sawRecord;
        private bool _isFinished;
        private long _position;

        public Cursor(WarcReader reader, InputPart part, ReadReport report, long position)
        {
            (_reader, _part, _report, _position) = (reader, part, report, position);
            _sawRecord = position != 0 || part.Start != 0;
            _filePath = part.Path.Replace('\\', '/');
            _body = new HttpBody(reader.MaxRecordBytes, reader.MaxRatio);
            try
            {
                _records = WarcRecords.Open(part.Path, report, part.Start, part.End, position, reader.Limits);
                if (!_sawRecord)
                    report.CountFile();
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                report.Skip("unreadable_file", $"{part.Path} ({e.Message})");
            }
        }

        public override long Position => _position;

        public override long BytesRead => (_records?.FileOffset ?? _part.Start) - _part.Start;

        public override Document? Read()
        {
            if (_records is null || _isFinished)
                return null;
            try
            {
                while (!(_records.IsForeign && !_sawRecord && _part.Start == 0) && _records.Next() is { } record)
                {
                    _sawRecord = true;
                    if (ToDocument(record) is not { } document)
                        continue;
                    _position = _records.Position;
                    return _report.Count(document);
                }
                if (!_sawRecord)
                    _report.Skip("not_warc", _part.Path);
            }
            catch (IOException e)
            {
                _report.Skip("unreadable_file", $"{_part.Path} ({e.Message})");
            }
            _isFinished = true;
            return null;
        }

        public override void Dispose()
        {
            _records?.Dispose();
            base.Dispose();
        }

        private Document? ToDocument(WarcRecord record)
        {
            var type = record.Type;
            if (type == "revisit")
                return Skip(record, "revisit");
            if (type is not ("response" or "conversion" or "resource"))
                return null;
            var identified = MediaTypes.Of(record.Fields["WARC-Identified-Payload-Type"]);
            var contentType = record.Fields["Content-Type"];
            var isHttp = type == "response" && MediaTypes.Of(contentType) is null or "application/http";
            var known = identified ?? (isHttp ? null : MediaTypes.Of(contentType));
            if (known is not null && !IsWanted(known, type))
                return Skip(record, known == MediaTypes.Pdf ? "pdf" : "not_text");
            if (record.ContentLength > _reader.MaxRecordBytes)
                return Skip(record, "record_too_large");
            if (!_records!.TryReadBlock(_reader.MaxRecordBytes, out var block))
                return null;
            var isTruncated = record.Fields["WARC-Truncated"] is not null;
            if (isHttp && !TakeBody(record, ref block, ref contentType, ref isTruncated))
                return null;
            known ??= MediaTypes.Of(contentType) ?? MediaTypes.Sniff(block.Span);
            if (!IsWanted(known, type))
                return Skip(record, known == MediaTypes.Pdf ? "pdf" : "not_text");
            return Build(record, block.Span, known!, contentType, isTruncated);
        }

        private static bool IsWanted(string? mediaType, string recordType) =>
            mediaType == MediaTypes.PlainText ? recordType != "response"
                : MediaTypes.IsHtml(mediaType) && recordType != "conversion";

        /// <summary>Replaces the block of a response by its decoded body.</summary>
        private bool TakeBody(WarcRecord record, ref ReadOnlyMemory<byte> block, ref string? contentType, ref bool isTruncated)
        {
            if (!HttpMessage.TryParse(block, out var message))
                return Skip(record, "bad_http") is not null;
            if (message.Status is < 200 or > 299 && !_reader.KeepFailedResponses)
                return Skip(record, "http_status") is not null;
            contentType = message.Fields["Content-Type"];
            // Bodies of other types (images, films) are not worth decoding.
            var declared = MediaTypes.Of(contentType);
            if (declared is not null && !MediaTypes.IsHtml(declared) && record.Fields["WARC-Identified-Payload-Type"] is null)
                return Skip(record, declared == MediaTypes.Pdf ? "pdf" : "not_text") is not null;
            var outcome = _body.Decode(message, out block);
            if (outcome is BodyOutcome.TooLarge or BodyOutcome.Bomb or BodyOutcome.Undecodable)
            {
                return Skip(record, outcome switch
                {
                    BodyOutcome.TooLarge => "record_too_large",
                    BodyOutcome.Bomb => "compression_bomb",
                    _ => "bad_content_encoding",
                }) is not null;
            }
            isTruncated |= outcome == BodyOutcome.Partial;
            if (_body.HasBadChunks)
                _report.Repair("bad_chunking", Place(record));
            return true;
        }

        private Document? Build(
            WarcRecord record, ReadOnlySpan<byte> bytes, string mediaType, string? contentType, bool isTruncated)
        {
            var decoded = TextDecoder.Decode(bytes, MediaTypes.CharsetOf(contentType), MediaTypes.IsHtml(mediaType));
            if (string.IsNullOrWhiteSpace(decoded.Text))
                return Skip(record, "empty_text");
            if (decoded.HasErrors)
                _report.Repair("invalid_encoding", Place(record));
            if (isTruncated && !_records!.IsTruncated) // counted already where the record itself was short
                _report.Repair("truncated_record", Place(record));
            var metadata = new JsonObject
            {
                ["url"] = record.TargetUri,
                ["date"] = record.Fields["WARC-Date"],
                ["media_type"] = MediaTypes.IsHtml(mediaType) ? MediaTypes.Html : mediaType,
                ["charset"] = decoded.Charset,
                ["file_path"] = _filePath,
            };
            foreach (var absent in metadata.Where(m => m.Value is null).Select(m => m.Key).ToArray())
                metadata.Remove(absent);
            if (record.Fields["WARC-Identified-Content-Language"] is { Length: > 0 } languages)
                metadata["content_languages"] = languages;
            if (isTruncated || _records!.IsTruncated)
                metadata["truncated"] = true;
            var id = record.Id is { Length: > 0 } given ? given : $"{_filePath}@{record.Offset}";
            return new Document(id, decoded.Text) { Metadata = metadata };
        }

        private Document? Skip(WarcRecord record, string reason)
        {
            _report.Skip(reason, Place(record));
            return null;
        }

        private string Place(WarcRecord record) => $"{_part.Path}@{record.Offset}";
    }
}

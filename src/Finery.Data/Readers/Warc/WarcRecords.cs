using Finery.Data.Readers.Remote;

namespace Finery.Data.Readers.Warc;

/// <summary>What is read of a WARC file at most.</summary>
/// <param name="HeadBytes">Longest head of a record.</param>
/// <param name="Ratio">Highest expansion of a gzip member beyond its first megabyte.</param>
public sealed record WarcLimits(int HeadBytes = 1 << 16, double Ratio = 200);

/// <summary>
/// Goes through the records of a WARC or WET file (versions 0.17 to 1.1), plain or gzip with any number of records a member.
/// Damage is counted and passed over: in gzip up to the next member that decompresses to the head of a record, in a plain file
/// up to the next head; a head is looked for only where the lengths given do not lead to one, so that what a record contains is
/// never mistaken for a record. Used by one thread.
/// </summary>
/// <remarks>Counts <c>damaged_member</c>, <c>compression_bomb</c>, <c>damaged_record</c> (no head where one must be),
/// <c>damaged_file</c> (damage too dense to go on) as skipped, and <c>record_length</c> (kept up to the next head),
/// <c>truncated_record</c> as repaired.</remarks>
public sealed partial class WarcRecords : IDisposable
{
    // Offsets up to 2^39 and 2^24 records a gzip member fit one position.
    private const int OrdinalBits = 24;

    private readonly WarcContent _content;
    private readonly string _path;
    private readonly WarcLimits _limits;
    private readonly long _end;
    private ReadReport? _report;
    private WarcRecord? _current;
    private long _anchor;
    private long _ordinal;
    private byte[] _block = [];
    private int _blockLength;
    private long _blockStart;

    private WarcRecords(WarcContent content, string path, WarcLimits limits, ReadReport? report, long end)
    {
        (_content, _path, _limits, _report, _end) = (content, path, limits, report, end);
    }

    /// <summary>Where to open again to go on after the record returned last, once the next one or its block has been asked for:
    /// for a plain file an offset; for gzip the offset of a member times 2^24, plus a number of records to pass after
    /// it.</summary>
    public long Position { get; private set; }

    /// <summary>Offset in the file up to which it has been read.</summary>
    public long FileOffset => _content.Input.Position;

    /// <summary>Whether the file is neither gzip nor starts as a WARC file does.</summary>
    internal bool IsForeign { get; private init; }

    /// <summary>Whether the block read last is shorter than its record says.</summary>
    public bool IsTruncated { get; private set; }

    /// <summary>Opens a file or a stretch of one.</summary>
    /// <param name="path">Local path or address.</param>
    /// <param name="report">Is told what is passed over; null to tell none.</param>
    /// <param name="start">Offset of a record or gzip member.</param>
    /// <param name="end">Offset from which on records or members are left alone.</param>
    /// <param name="position">0, or a <see cref="Position"/> to go on from.</param>
    /// <param name="limits">Null for the defaults.</param>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static WarcRecords Open(
        string path, ReadReport? report, long start = 0, long end = long.MaxValue, long position = 0,
        WarcLimits? limits = null) =>
        Open(InputFile.Open(path), path, report, start, end, position, limits ?? new());

    internal static WarcRecords Open(
        Stream stream, string path, ReadReport? report, long start, long end, long position, WarcLimits limits)
    {
        var input = new BufferedInput(stream);
        var magic = input.Peek(8);
        var isGzip = magic is [0x1F, 0x8B, ..];
        var isForeign = !isGzip && !magic.TrimStart("\r\n"u8).StartsWith("WARC/"u8);
        var ordinal = isGzip ? position & ((1 << OrdinalBits) - 1) : 0;
        var content = new WarcContent(input, isGzip, limits.Ratio);
        content.Seek(position == 0 ? start : isGzip ? position >> OrdinalBits : position);
        var records = new WarcRecords(content, path, limits, null, end) { IsForeign = isForeign };
        records.StartMember();
        while (ordinal-- > 0 && records.Next() is not null)
            records.Finish();
        records._report = report;
        return records;
    }

    /// <summary>Goes to the next record, past what has not been read of the one before.</summary>
    /// <returns>Null at the end.</returns>
    public WarcRecord? Next()
    {
        if (_current is not null)
            Finish();
        while (!_exhausted)
        {
            try
            {
                if (!SkipLineEnds())
                {
                    if (!NextMember())
                        return null;
                    continue;
                }
                if (!_content.IsGzip && _content.PlainPosition >= _end)
                    return null;
                if ((_current = TakeHead(probe: false)) is not null)
                {
                    _blockStart = _content.IsGzip ? 0 : _content.PlainPosition;
                    _blockLength = 0;
                    IsTruncated = false;
                    return _current;
                }
                _report?.Skip("damaged_record", Place());
                ScanForHead();
            }
            catch (InvalidDataException)
            {
                PassDamagedMember();
            }
        }
        return null;
    }

    /// <summary>Reads the block of the record returned last, and verifies what follows it.</summary>
    /// <param name="maxBytes">No more than this; a record that says it has more is passed over unread.</param>
    /// <param name="block">The block, valid until the next call of any method.</param>
    /// <returns>False if the record cannot be used: too large, or damaged, which has been counted then.</returns>
    public bool TryReadBlock(int maxBytes, out ReadOnlyMemory<byte> block)
    {
        block = default;
        if (_current is not { } record || record.ContentLength > maxBytes)
            return false;
        try
        {
            while (_blockLength < record.ContentLength)
            {
                if (_blockLength == _block.Length)
                    Array.Resize(ref _block, (int)Math.Min(Math.Max(1L << 16, _block.Length * 2L), Math.Max(maxBytes, 1 << 16)));
                var wanted = (int)Math.Min(record.ContentLength - _blockLength, _block.Length - _blockLength);
                var read = _content.Read(_block.AsSpan(_blockLength, wanted));
                _blockLength += read;
                if (read == 0 && !ContinuesInNextMember())
                    break;
            }
            IsTruncated = _blockLength < record.ContentLength;
            Complete();
            block = _block.AsMemory(0, _blockLength);
            return true;
        }
        catch (InvalidDataException)
        {
            PassDamagedMember();
            return false;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _content.Dispose();

    /// <summary>Passes the block of the current record without keeping it.</summary>
    private void Finish()
    {
        if (_current is not { } record)
            return;
        try
        {
            var left = record.ContentLength - _blockLength;
            while ((left -= _content.Skip(left)) > 0 && ContinuesInNextMember())
            {
            }
            IsTruncated = left > 0;
            Complete();
        }
        catch (InvalidDataException)
        {
            PassDamagedMember();
        }
    }

    /// <summary>Looks at what follows a block, and mends the record's length if it is not the head of another.</summary>
    private void Complete()
    {
        _ordinal++;
        var isAtEnd = !SkipLineEnds();
        if (isAtEnd ? IsTruncated : !StartsWithHead())
            Reframe();
        else if (IsTruncated)
            _report?.Repair("truncated_record", Place());
        _current = null;
        SetPosition();
    }

    private void SetPosition()
    {
        if (!_content.IsGzip)
            Position = _content.PlainPosition;
        else if (_content.Require(1))
            Position = (_anchor << OrdinalBits) + _ordinal;
        else
            Position = _content.Input.Position << OrdinalBits;
    }

    /// <summary>Whether a block goes on in the member after the one that has just ended, as some tools wrote it.</summary>
    private bool ContinuesInNextMember()
    {
        if (!_content.IsGzip || _content.Input.Position >= _end || !_content.NextMember())
            return false;
        if (!StartsWithHead())
            return true;
        (_anchor, _ordinal) = (_content.MemberStart, -1); // counted up when the record that ended here is complete
        return false;
    }

    private bool NextMember()
    {
        if (!_content.IsGzip)
            return false;
        var input = _content.Input;
        while (input.Peek(1) is [0, ..])
            input.Advance(1); // archivers pad with zeros
        if (input.Position >= _end || input.Peek(1).IsEmpty)
            return false;
        if (_content.NextMember())
        {
            StartMember();
            return true;
        }
        _report?.Skip("damaged_member", $"{_path}@{input.Position}");
        return SeekMember(input.Position + 1);
    }

    private void StartMember()
    {
        _anchor = _content.MemberStart;
        _ordinal = 0;
    }

    private string Place() => $"{_path}@{(_content.IsGzip ? _content.MemberStart : _content.PlainPosition)}";

    /// <summary>Passes line ends.</summary>
    /// <returns>False at the end of the member or file.</returns>
    private bool SkipLineEnds()
    {
        while (_content.Require(1))
        {
            var ahead = _content.Available;
            var count = ahead.IndexOfAnyExcept((byte)'\r', (byte)'\n');
            _content.Advance(count < 0 ? ahead.Length : count);
            if (count >= 0)
                return true;
        }
        return false;
    }

    private bool StartsWithHead() => _content.Require(5) && _content.Available.StartsWith("WARC/"u8);

    /// <summary>Reads the head of a record that starts here, and passes it; a probe is stricter and passes nothing.</summary>
    private WarcRecord? TakeHead(bool probe)
    {
        if (!StartsWithHead())
            return null;
        while (true)
        {
            var end = HeaderFields.FindEnd(_content.Available);
            if (end < 0 && _content.Available.Length < _limits.HeadBytes && _content.Fill())
                continue;
            if (end < 0)
                return null;
            var offset = _content.IsGzip ? _content.MemberStart : _content.PlainPosition;
            var record = WarcRecord.Parse(_content.Available[..end], offset, strict: probe);
            if (record is not null && !probe)
                _content.Advance(end);
            return record;
        }
    }
}

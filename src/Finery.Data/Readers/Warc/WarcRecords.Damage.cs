namespace Finery.Data.Readers.Warc;

/// <content>Finding the way again after damage.</content>
public sealed partial class WarcRecords
{
    // Garbage rarely decompresses for longer than a few tens of kilobytes before it breaks a rule of the format.
    private const int LookBack = 1 << 18;

    // Work on what turns out to be nothing is charged against this, so that no file takes more than a multiple of its length.
    private const int CandidateCost = 1 << 14;
    private readonly long _patience = 256L << 20;
    private long _charged;
    private bool _exhausted;

    /// <summary>After a gzip member failed: counts it and goes to the next that decompresses to the head of a record.</summary>
    private void PassDamagedMember()
    {
        _report?.Skip(_content.IsBomb ? "compression_bomb" : "damaged_member", Place());
        _current = null;
        var failed = _content.Input.Position;
        SeekMember(Math.Max(_content.MemberStart + 1, failed - LookBack));
        Position = _content.Input.Position << OrdinalBits;
    }

    /// <summary>Goes to the first member from an offset on that decompresses to the head of a record; to the end of the part if
    /// there is none.</summary>
    private bool SeekMember(long from)
    {
        _content.Seek(from);
        var found = Find(_content, from, _end, _limits, () => Charge(CandidateCost));
        var start = found >= 0 ? found : Math.Min(_end, _content.Input.Length);
        Charge(start - from);
        _content.Seek(start);
        return found >= 0;
    }

    /// <summary>Offset of the first gzip member in a range that decompresses to the head of a record; -1 if there is
    /// none.</summary>
    /// <param name="content">Is left anywhere.</param>
    /// <param name="from">First offset looked at.</param>
    /// <param name="end">First offset not looked at.</param>
    /// <param name="limits">Of heads.</param>
    /// <param name="goOn">Asked after every failed candidate.</param>
    internal static long Find(WarcContent content, long from, long end, WarcLimits limits, Func<bool> goOn)
    {
        var input = content.Input;
        content.Seek(from);
        while (input.Position < end)
        {
            var ahead = input.Peek(1 << 12);
            var at = ahead.IndexOf([(byte)0x1F, (byte)0x8B, (byte)8]);
            if (at < 0)
            {
                if (ahead.Length < 3)
                    return -1;
                input.Advance(ahead.Length - 2);
                continue;
            }
            input.Advance(at);
            var candidate = input.Position;
            if (candidate >= end)
                return -1;
            if (StartsRecord(content, limits))
                return candidate;
            if (!goOn())
                return -1;
            content.Seek(candidate + 1);
        }
        return -1;
    }

    private static bool StartsRecord(WarcContent content, WarcLimits limits)
    {
        try
        {
            if (!content.NextMember())
                return false;
            while (content.Require(1) && content.Available[0] is (byte)'\r' or (byte)'\n')
                content.Advance(1);
            while (content.Available.Length < limits.HeadBytes && HeaderFields.FindEnd(content.Available) < 0 && content.Fill())
            {
            }
            var end = HeaderFields.FindEnd(content.Available);
            return end > 0 && WarcRecord.Parse(content.Available[..end], 0, strict: true) is not null;
        }
        catch (InvalidDataException)
        {
            return false;
        }
    }

    /// <summary>A record's length does not lead to another head: looks for one from the start of its block where that can still
    /// be read, else from here, and ends the record there.</summary>
    private void Reframe()
    {
        var place = $"{_path}@{_current!.Offset}";
        if (!_content.IsGzip)
        {
            Charge(_content.PlainPosition - _blockStart);
            _content.Seek(_blockStart);
        }
        else if (_blockLength > 0)
        {
            Charge(_blockLength);
            _content.Unread(_block.AsSpan(0, _blockLength));
        }
        var scanned = ScanForHead();
        if (!_content.IsGzip || _blockLength > 0)
            _blockLength = (int)Math.Min(_blockLength, scanned);
        _blockLength = _block.AsSpan(0, _blockLength).TrimEnd("\r\n"u8).Length;
        _report?.Repair(IsTruncated && _content.Available.IsEmpty ? "truncated_record" : "record_length", place);
    }

    /// <summary>Goes forward to the next line that starts the head of a record, at the latest to the end of the member or
    /// file.</summary>
    /// <returns>How many bytes were passed.</returns>
    private long ScanForHead()
    {
        long passed = 0;
        void Pass(int count)
        {
            _content.Advance(count);
            passed += count;
        }
        while (!_exhausted)
        {
            var at = _content.Available.IndexOf("\nWARC/"u8);
            if (at >= 0)
            {
                Pass(at + 1);
                if (TakeHead(probe: true) is not null)
                    break;
                Charge(CandidateCost);
                continue;
            }
            Pass(Math.Max(0, _content.Available.Length - 5));
            if (_content.Fill())
                continue;
            Pass(_content.Available.Length);
            break;
        }
        return passed;
    }

    private bool Charge(long bytes)
    {
        _charged += bytes;
        if (_charged <= _patience + 4 * _content.Input.Length || _exhausted)
            return !_exhausted;
        _exhausted = true;
        _report?.Skip("damaged_file", $"{_path}@{_content.Input.Position}");
        return false;
    }
}

using Finery.Data.Readers.Remote;

namespace Finery.Data.Readers.Warc;

/// <summary>
/// Cuts WARC files where records start. In a plain local file that is exact: the lengths of the records are followed. Of a gzip
/// file only the surroundings of the cuts are read: a cut is made where a member decompresses to the head of a record. A file
/// that is damaged at a cut, or remote and plain, is cut less often; a file of one gzip member not at all.
/// </summary>
internal static class WarcParts
{
    // How far past the place wanted a member is looked for; a record larger than that only makes a part larger.
    private const long SearchBytes = 64L << 20;

    // How far before it the approach starts: more than nearly all pages take, compressed.
    private const long ApproachBytes = 2L << 20;

    /// <summary>The parts of one file, of about <paramref name="partBytes"/> bytes each.</summary>
    public static List<InputPart> Cut(string path, long partBytes, WarcLimits limits)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(partBytes, 1);
        var cuts = new List<long> { 0 };
        try
        {
            if (partBytes < long.MaxValue)
                FindCuts(path, partBytes, limits, cuts);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            // Opening the part meets the same trouble, and counts it.
            cuts.RemoveRange(1, cuts.Count - 1);
        }
        return [.. cuts.Select((start, i) => new InputPart(path, start, i + 1 < cuts.Count ? cuts[i + 1] : long.MaxValue))];
    }

    private static void FindCuts(string path, long partBytes, WarcLimits limits, List<long> cuts)
    {
        var stream = InputFile.Open(path);
        using var input = new BufferedInput(stream);
        if (input.Length <= partBytes)
            return;
        var isGzip = input.Peek(2) is [0x1F, 0x8B, ..];
        using var content = new WarcContent(input, isGzip, limits.Ratio);
        if (isGzip)
            FindMembers(content, partBytes, limits, cuts);
        else if (!InputFile.IsRemote(path))
            FollowRecords(path, partBytes, limits, cuts);
    }

    private static void FindMembers(WarcContent content, long partBytes, WarcLimits limits, List<long> cuts)
    {
        var length = content.Input.Length;
        for (var wanted = partBytes; wanted < length; wanted = cuts[^1] + partBytes)
        {
            var failures = 0;
            var end = Math.Min(length, wanted + SearchBytes);
            long Find(long from) => WarcRecords.Find(content, from, end, limits, () => ++failures < 1000);
            // A page may itself be an archive, whose members can be seen from outside. From a place well before the cut, members are
            // followed from one to the next, which leads past such a page as a whole.
            var at = Find(Math.Max(cuts[^1], wanted - ApproachBytes));
            while (at >= 0 && at < wanted)
                at = Find(EndOfMember(content, at));
            if (at < 0)
                return;
            cuts.Add(at);
        }
    }

    /// <summary>Where the member that starts at an offset ends; the next offset if it is damaged.</summary>
    private static long EndOfMember(WarcContent content, long start)
    {
        try
        {
            content.Seek(start);
            if (!content.NextMember())
                return start + 1;
            content.Skip(long.MaxValue);
            return content.Input.Position;
        }
        catch (InvalidDataException)
        {
            return start + 1;
        }
    }

    private static void FollowRecords(string path, long partBytes, WarcLimits limits, List<long> cuts)
    {
        var report = new ReadReport();
        using var records = WarcRecords.Open(path, report, limits: limits);
        while (records.Next() is { } record && report.Skipped.Count == 0)
            if (record.Offset - cuts[^1] >= partBytes)
                cuts.Add(record.Offset);
    }
}

using Finery.Data.Readers;
using Finery.Data.Readers.Warc;
using Xunit;

namespace Finery.Tests.Data.Readers.Warc;

/// <summary>What comes out of each of the real files.</summary>
public sealed class WarcFilesTests
{
    public static TheoryData<string, int, string, string> Files => new()
    {
        { "articles.warc.gz", 98, "damaged_member 1 not_text 1", "truncated_record 1" },
        { "example-bad-non-chunked.warc.gz", 1, "revisit 1", "" },
        { "example-bad.warc.gz.bad", 1, "http_status 1 revisit 1", "" },
        { "example-digest.warc", 0, "", "" },
        { "example-iana.org-chunked.warc", 1, "", "" },
        { "example-space-in-target-uri.warc.gz", 0, "not_text 1", "" },
        { "example-trunc.warc", 1, "", "record_length 1 truncated_record 1" },
        { "example-wrong-chunks.warc.gz", 1, "", "" },
        { "example.warc", 1, "revisit 1", "" },
        { "example.warc.gz", 1, "revisit 1", "" },
        { "post-test.warc.gz", 0, "not_text 3", "" },
    };

    [Theory]
    [MemberData(nameof(Files))]
    public void Every_file_is_read_or_refused_with_a_reason(string name, int documents, string skipped, string repaired)
    {
        var report = new ReadReport();
        var read = new WarcReader { Paths = [SharedData.Path("warc", name)] }.Read(report).ToList();
        static string Counts(IReadOnlyDictionary<string, ReportedItems> items) =>
            string.Join(' ', items.Select(i => $"{i.Key} {i.Value.Count}"));
        Assert.Equal((documents, skipped, repaired), (read.Count, Counts(report.Skipped), Counts(report.Repaired)));
        Assert.All(read, d => Assert.Contains("<html", d.Text, StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public void Parts_and_resumption_give_what_one_reading_gives()
    {
        var path = SharedData.Path("warc", "articles.warc.gz");
        var reader = new WarcReader { Paths = [path] };
        var whole = reader.Read(new()).ToList();
        foreach (var partBytes in new long[] { 100_000, 3_000_000, 10_000_000 })
        {
            var report = new ReadReport();
            var parts = reader.Parts(partBytes);
            Assert.InRange(parts.Count, partBytes > 3_400_000 ? 1 : 2, 80);
            var split = new List<string>();
            foreach (var part in parts)
            {
                long position = 0;
                while (true)
                {
                    using var cursor = reader.Open(part, report, position);
                    if (cursor.Read() is not { } document)
                        break;
                    split.Add(document.Id + document.Text.Length);
                    position = cursor.Position;
                }
            }
            Assert.Equal(whole.Select(d => d.Id + d.Text.Length), split);
            Assert.Equal(1, report.Files);
        }
    }
}

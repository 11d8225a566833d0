using Finery.Data.Deduplication;
using Finery.Data.Deduplication.Sorting;
using Finery.Tests.Models;
using Xunit;

namespace Finery.Tests.Data.Deduplication.Sorting;

public sealed class RecordSorterTests
{
    private static List<Member> Random(int count) => [.. Enumerable.Range(0, count).Select(i => new Random(i))
        .Select(r => new Member(DocumentPosition.Pack(r.Next(5), r.Next(1000)), (ulong)r.NextInt64(), (uint)r.Next(9)))];

    private static List<Member> Read(RecordMerge<StructOrder<Member>> merge)
    {
        var records = new List<Member>();
        while (merge.MoveNext())
            records.Add(merge.Read<Member>());
        return records;
    }

    [Theory]
    [InlineData(0, 1 << 20)]
    [InlineData(1, 1)]
    [InlineData(50_000, 1 << 30)]
    [InlineData(50_000, 1)]
    public void Any_amount_of_memory_gives_the_same_order(int count, long memory)
    {
        using var folder = new TemporaryFolder();
        using var sorter = new RecordSorter<Member>(memory, folder.Path);
        var records = Random(count);
        foreach (var record in records)
            sorter.Add(record);
        using var merge = sorter.Sorted();
        var sorted = Read(merge);
        Assert.Equal(records.Select(r => r.Position).Order(), sorted.Select(r => r.Position));
        Assert.Equal(records.Order(Comparer<Member>.Create(Whole)), sorted.Order(Comparer<Member>.Create(Whole)));
        Assert.Equal(count > 10_000 && memory == 1, sorter.Runs > 1);
        if (!OperatingSystem.IsWindows())
            Assert.Empty(Directory.EnumerateFileSystemEntries(folder.Path));
    }

    private static int Whole(Member a, Member b) =>
        (a.Position, a.Kept, a.Size).CompareTo((b.Position, b.Kept, b.Size));

    [Fact]
    public void Merging_many_sources_is_stable()
    {
        using var folder = new TemporaryFolder();
        var random = new Random(3);
        var sources = new List<RecordSource>();
        var expected = new List<(ulong Position, int Source)>();
        for (var s = 0; s < 300; s++)
        {
            using var writer = new RecordWriter(folder[$"{s}"]);
            foreach (var position in Enumerable.Range(0, random.Next(20)).Select(_ => (ulong)random.Next(50)).Order())
            {
                writer.Write(new Member(position, (ulong)s, 0));
                expected.Add((position, s));
            }
            writer.Commit();
            sources.Add(new(folder[$"{s}"], 20));
        }
        using var merge = new RecordMerge<StructOrder<Member>>(default, sources, 2 << 20);
        Assert.Equal(expected.Order(), Read(merge).Select(m => (m.Position, (int)m.Kept)));
    }

    [Fact]
    public void Too_many_sources_for_the_memory_are_refused()
    {
        using var folder = new TemporaryFolder();
        using (var writer = new RecordWriter(folder["a"]))
        {
            writer.Write(new Member(1, 1, 1));
            writer.Commit();
        }
        var sources = Enumerable.Range(0, 1000).Select(_ => new RecordSource(folder["a"], 20)).ToList();
        Assert.Contains("memory", Assert.Throws<InvalidOperationException>(
            () => new RecordMerge<StructOrder<Member>>(default, sources, 1)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Damage_is_found()
    {
        using var folder = new TemporaryFolder();
        var path = folder["records"];
        using (var writer = new RecordWriter(path))
        {
            for (var i = 0; i < 10_000; i++)
                writer.Write(new Member((ulong)i, 0, 0));
            writer.Commit(verify: true);
        }
        Assert.Equal(10_000, RecordFile.Count(path, 20));
        Assert.Throws<InvalidDataException>(() => RecordFile.Count(path, 24));
        Assert.Equal(7_000, RecordFile.LowerBound(path, 20, r => BitConverter.ToUInt64(r) < 7_000));
        using (var file = new FileStream(path, FileMode.Open))
        {
            file.Position = 100_000;
            file.WriteByte(7);
        }
        Assert.Contains("checksum", Assert.Throws<InvalidDataException>(
            () => RecordFile.Verify(path)).Message, StringComparison.Ordinal);
        using (var file = new FileStream(path, FileMode.Open))
            file.SetLength(199_980);
        Assert.Contains("199980", Assert.Throws<InvalidDataException>(
            () => RecordFile.Count(path, 20)).Message, StringComparison.Ordinal);
        File.Delete(RecordFile.SumOf(path));
        Assert.Throws<InvalidDataException>(() => RecordFile.Count(path, 20));
    }
}

using Finery.Data;
using Finery.Data.Writers;
using Xunit;

namespace Finery.Tests.Data.Writers;

public sealed class AtomicFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("finery-write-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_file_is_replaced_whole()
    {
        var path = Path.Combine(_folder, "new", "file.txt");
        AtomicFile.WriteText(path, "old");
        AtomicFile.WriteText(path, "né");
        Assert.Equal("né"u8.ToArray(), File.ReadAllBytes(path));
        Assert.Equal([path], Directory.GetFiles(Path.GetDirectoryName(path)!));
    }

    [Fact]
    public void A_failed_write_leaves_the_old_file_and_no_other()
    {
        var path = Path.Combine(_folder, "file.txt");
        AtomicFile.WriteText(path, "old");
        Assert.Throws<IOException>(() => AtomicFile.Write(path, stream =>
        {
            stream.Write(new byte[100_000]);
            throw new IOException("disk full");
        }));
        using (var abandoned = new AtomicFile(path))
            abandoned.Stream.Write("half"u8);
        Assert.Equal("old", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFiles(_folder));
    }

    [Fact]
    public void A_full_disk_is_an_exception_and_leaves_nothing()
    {
        Assert.SkipUnless(File.Exists("/dev/full"), "Needs a device that is always full.");
        var link = Path.Combine(_folder, "full");
        Assert.Throws<IOException>(() =>
        {
            using var stream = new FileStream("/dev/full", FileMode.Open, FileAccess.Write);
            AtomicFile.Write(link, target =>
            {
                target.Write("x"u8);
                stream.Write(new byte[1 << 20]);
                stream.Flush();
            });
        });
        Assert.Empty(Directory.GetFiles(_folder));
    }

    [Theory]
    [InlineData("a.jsonl")]
    [InlineData("a.jsonl.gz")]
    public void A_writer_left_without_commit_leaves_nothing(string name)
    {
        using (var writer = new JsonLinesWriter(Path.Combine(_folder, name)))
            writer.Write(new Document("1", "text"));
        Assert.Empty(Directory.GetFiles(_folder));
    }
}

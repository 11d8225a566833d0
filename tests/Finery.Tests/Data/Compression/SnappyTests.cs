using Finery.Data.Compression;
using Xunit;

namespace Finery.Tests.Data.Compression;

public sealed class SnappyTests
{
    private static byte[] Compress(byte[] data)
    {
        var target = new byte[Snappy.MaxCompressedLength(data.Length)];
        return target[..Snappy.Compress(data, target)];
    }

    private static byte[] Decompress(byte[] data)
    {
        var length = Snappy.DecompressedLength(data);
        Assert.SkipWhen(length > 1 << 26, "only the damaged ones below claim so much");
        var target = new byte[length];
        Snappy.Decompress(data, target);
        return target;
    }

    [Fact]
    public void Published_blocks_are_read()
    {
        Assert.Equal("hello"u8.ToArray(), Decompress([0x05, 0x10, .. "hello"u8]));
        Assert.Equal("aaaaaaaaaa"u8.ToArray(), Decompress([0x0A, 0x00, (byte)'a', 0x15, 0x01]));
        Assert.Equal([0x05, 0x10, .. "hello"u8], Compress([.. "hello"u8]));
        Assert.Empty(Decompress([0]));
        Assert.Equal([0], Compress([]));
    }

    [Fact]
    public void What_is_written_reads_back()
    {
        foreach (var sample in ZstdTests.Samples())
            Assert.Equal(sample, Decompress(Compress(sample)));
        var words = ZstdTests.Words(new Random(3), 1 << 20);
        Assert.InRange(Compress(words).Length, 1, words.Length * 2 / 3);
    }

    [Fact]
    public void Damaged_blocks_are_refused()
    {
        var random = new Random(11);
        var source = Compress(ZstdTests.Words(random, 3000));
        Assert.Throws<InvalidDataException>(() => Decompress([]));
        Assert.Throws<InvalidDataException>(() => Decompress([0x80, 0x80, 0x80, 0x80, 0x80, 0x01]));
        Assert.Throws<InvalidDataException>(() => Decompress([0xFF, 0xFF, 0xFF, 0xFF, 0x0F]));
        Assert.Throws<InvalidDataException>(() => Decompress([0x05, 0x15, 0x01]));
        for (var i = 1; i < source.Length; i++)
            Assert.Throws<InvalidDataException>(() => Decompress(source[..i]));
        for (var i = 0; i < 5000; i++)
        {
            byte[] damaged = [.. source];
            for (var n = random.Next(1, 6); n > 0; n--)
                damaged[random.Next(2, damaged.Length)] = (byte)random.Next(256);
            try
            {
                Decompress(damaged);
            }
            catch (InvalidDataException)
            {
                // what it should be, unless the damage happens to make sense
            }
        }
    }
}

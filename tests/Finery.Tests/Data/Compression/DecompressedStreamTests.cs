using System.IO.Compression;
using Finery.Data.Compression;
using Xunit;

namespace Finery.Tests.Data.Compression;

public sealed class DecompressedStreamTests
{
    private static byte[] Gzip(byte[] data)
    {
        using var target = new MemoryStream();
        using (var gzip = new GZipStream(target, CompressionLevel.Optimal))
            gzip.Write(data);
        return target.ToArray();
    }

    private static byte[] Read(byte[] data, DecompressionLimits? limits = null)
    {
        using var source = new DecompressedStream(new MemoryStream(data), limits);
        using var target = new MemoryStream();
        source.CopyTo(target);
        return target.ToArray();
    }

    [Fact]
    public void The_kind_is_told_by_the_content()
    {
        var words = ZstdTests.Words(new Random(1), 10_000);
        Assert.Equal(words, Read(words));
        Assert.Equal(words, Read(Gzip(words)));
        Assert.Equal([.. words, .. words], Read([.. Gzip(words), .. Gzip(words)]));
        Assert.Equal(words, Read(ZstdTests.Compress(words)));
        Assert.Equal(words, Read([0x50, 0x2A, 0x4D, 0x18, 1, 0, 0, 0, 9, .. ZstdTests.Compress(words)]));
        Assert.Empty(Read([]));
        Assert.Equal([0x1F], Read([0x1F]));
    }

    [Fact]
    public void A_bomb_is_refused_early()
    {
        var bomb = new byte[64 << 20];
        foreach (var data in new[] { Gzip(bomb), ZstdTests.Compress(bomb) })
        {
            Assert.True(data.Length * 900L < bomb.Length);
            using var source = new DecompressedStream(new MemoryStream(data));
            long produced = 0;
            var buffer = new byte[1 << 16];
            var error = Assert.Throws<InvalidDataException>(() =>
            {
                for (int count; (count = source.Read(buffer)) > 0;)
                    produced += count;
            });
            Assert.Contains("times its size", error.Message);
            Assert.InRange(produced, 1 << 19, 16 << 20);
            Assert.Equal(bomb.Length, Read(data, new() { MaxRatio = 0 }).Length);
            Assert.Contains("1000 bytes",
                Assert.Throws<InvalidDataException>(() => Read(data, new() { MaxBytes = 1000 })).Message);
        }
    }

    [Fact]
    public void Damaged_gzip_never_crashes()
    {
        var random = new Random(2);
        var source = Gzip(ZstdTests.Words(random, 3000));
        for (var i = 0; i < 2000; i++)
        {
            byte[] damaged = [.. source];
            for (var n = random.Next(1, 6); n > 0; n--)
                damaged[random.Next(2, damaged.Length)] = (byte)random.Next(256);
            try
            {
                Read(damaged);
            }
            catch (InvalidDataException)
            {
                // what it should be, unless the damage happens to make sense
            }
        }
    }
}

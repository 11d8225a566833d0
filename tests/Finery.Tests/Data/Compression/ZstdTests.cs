using System.Diagnostics;
using System.Text;
using Finery.Data.Compression;
using Finery.Data.Deduplication;
using Xunit;

namespace Finery.Tests.Data.Compression;

public sealed class ZstdTests
{
    internal static byte[] Compress(byte[] data, bool withChecksum = true, int piece = int.MaxValue)
    {
        using var target = new MemoryStream();
        using (var zstd = new ZstdWriteStream(target, withChecksum, leaveOpen: true))
            for (var i = 0; i < data.Length; i += Math.Min(piece, data.Length - i))
                zstd.Write(data.AsSpan(i, Math.Min(piece, data.Length - i)));
        return target.ToArray();
    }

    internal static byte[] Decompress(byte[] data, long maxWindow = ZstdReadStream.DefaultMaxWindowBytes)
    {
        using var zstd = new ZstdReadStream(new MemoryStream(data), maxWindow);
        using var target = new MemoryStream();
        zstd.CopyTo(target);
        return target.ToArray();
    }

    /// <summary>Data of many kinds: text with repetitions, noise, runs, few symbols; lengths around the limits of the
    /// format.</summary>
    internal static IEnumerable<byte[]> Samples()
    {
        var random = new Random(7);
        int[] lengths = [0, 1, 2, 15, 16, 17, 31, 32, 33, 63, 255, 256, 257, 1000, 1023, 1024, 5000, 16383, 16384, 70000];
        foreach (var length in lengths)
        {
            yield return Words(random, length);
            yield return new byte[length];
            var noise = new byte[length];
            random.NextBytes(noise);
            yield return noise;
            yield return [.. noise.Select(b => (byte)(b & 3))];
            yield return [.. noise.Select(b => b < 250 ? (byte)'a' : b)];
            yield return [.. noise.Select((b, i) => (byte)(i % 7 == 0 ? b : i % 3))];
        }
        foreach (var length in new[] { 131071, 131072, 131073, 262144, 1 << 20, (3 << 20) + 12345 })
            yield return Words(random, length);
        yield return new byte[1_000_000];
        // The same megabyte twice: one match at the far end of the window.
        var far = new byte[700_000];
        random.NextBytes(far);
        yield return [.. far, .. far];
        // Symbols whose counts are Fibonacci numbers, which ask for codes longer than allowed.
        yield return
        [
            .. Enumerable.Range(0, 22).SelectMany(i => Enumerable.Repeat((byte)(i * 11), Fibonacci(i)))
                .OrderBy(_ => random.Next()),
        ];
    }

    private static int Fibonacci(int n) => n < 2 ? 1 : Fibonacci(n - 1) + Fibonacci(n - 2);

    internal static byte[] Words(Random random, int length)
    {
        string Word() => new([.. Enumerable.Range(0, random.Next(1, 12)).Select(_ => (char)random.Next('a', 'z' + 1))]);
        var words = Enumerable.Range(0, 2000).Select(_ => Word()).ToArray();
        var text = new StringBuilder();
        while (text.Length < length)
            text.Append(words[(int)(Math.Pow(random.NextDouble(), 3) * words.Length)]).Append(random.Next(12) == 0 ? ".\n" : " ");
        return Encoding.UTF8.GetBytes(text.ToString())[..length];
    }

    [Fact]
    public void Published_frames_are_read_and_written()
    {
        byte[] json = [.. "{\"text\":\"hi\"}\n"u8];
        Assert.Equal("28b52ffd240e7100007b2274657874223a226869227d0ae4e01097", Convert.ToHexStringLower(Compress(json)));
        Assert.Equal(json, Decompress(Convert.FromHexString("28b52ffd240e7100007b2274657874223a226869227d0ae4e01097")));
        byte[] run = [.. Enumerable.Repeat((byte)'a', 1000)];
        Assert.Equal("28b52ffd60e802431f0061", Convert.ToHexStringLower(Compress(run, withChecksum: false)));
        Assert.Equal(run, Decompress(Convert.FromHexString("28b52ffd60e802431f0061")));
        Assert.Equal(0x44BC2CF5AD770999UL, XxHash64.Hash("abc"u8));
    }

    [Fact]
    public void A_running_hash_equals_the_hash_of_the_whole()
    {
        var data = new byte[300];
        new Random(1).NextBytes(data);
        foreach (var piece in new[] { 1, 7, 31, 32, 33, 64, 300 })
        {
            var hash = new RunningXxHash64();
            for (var i = 0; i <= data.Length; i += piece)
            {
                Assert.Equal(XxHash64.Hash(data.AsSpan(0, i)), hash.Value);
                hash.Append(data.AsSpan(i, Math.Min(piece, data.Length - i)));
            }
            Assert.Equal(XxHash64.Hash(data), hash.Value);
        }
    }

    [Fact]
    public void What_is_written_reads_back_and_does_not_depend_on_the_pieces()
    {
        foreach (var sample in Samples())
        {
            var compressed = Compress(sample);
            Assert.Equal(sample, Decompress(compressed));
            Assert.Equal(compressed, Compress(sample, piece: 1021));
            Assert.True(compressed.Length <= sample.Length + 32, $"{sample.Length} -> {compressed.Length}");
        }
        var words = Words(new Random(3), 1 << 20);
        Assert.InRange(Compress(words).Length, 1, words.Length / 2);
    }

    [Fact]
    public void Frames_stand_for_themselves_and_skippable_ones_are_passed_over()
    {
        var words = Words(new Random(3), 300_000);
        using var target = new MemoryStream();
        using (var zstd = new ZstdWriteStream(target, leaveOpen: true))
        {
            zstd.Write(words.AsSpan(0, 200_000));
            zstd.EndFrame();
            zstd.Flush(); // nothing is open
            Assert.Equal(words[..200_000], Decompress(target.ToArray()));
            target.Write([0x5A, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, 1, 2, 3]);
            zstd.Write(words.AsSpan(200_000));
        }
        Assert.Equal(words, Decompress(target.ToArray()));
        Assert.Empty(Decompress(Compress([])));
        Assert.NotEmpty(Compress([]));
    }

    [Fact]
    public void A_flipped_bit_or_a_missing_byte_is_an_error()
    {
        var data = Words(new Random(5), 3000);
        var compressed = Compress(data);
        var unnoticed = 0;
        for (var i = 0; i < compressed.Length; i++)
        {
            if (i > 0) // nothing at all is an empty file
                Assert.Throws<InvalidDataException>(() => Decompress(compressed[..i]));
            for (var bit = 0; bit < 8; bit++)
            {
                byte[] damaged = [.. compressed];
                damaged[i] ^= (byte)(1 << bit);
                try
                {
                    // A bit of the padding, or the one of the header that means nothing.
                    Assert.Equal(data, Decompress(damaged));
                    unnoticed++;
                }
                catch (InvalidDataException)
                {
                    // what all others are
                }
            }
        }
        Assert.InRange(unnoticed, 1, 4 * 7 + 1); // four tables, and the header
        Assert.Throws<InvalidDataException>(() => Decompress([.. compressed, 0]));
    }

    [Fact]
    public void Damaged_data_never_crashes_hangs_or_yields_without_end()
    {
        var random = new Random(11);
        var sources = new[] { Words(random, 2000), Words(random, 200_000), [.. Words(random, 500).Select(b => (byte)(b * 7))] }
            .Select(data => Compress(data, withChecksum: false)).ToArray();
        for (var i = 0; i < 3000; i++)
        {
            var source = sources[i % 40 == 0 ? 1 : i % 2 * 2];
            byte[] damaged = [.. source];
            for (var n = random.Next(1, 6); n > 0; n--)
                damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            try
            {
                Decompress(damaged, 1 << 22);
            }
            catch (InvalidDataException)
            {
                // what it should be, unless the damage happens to make sense
            }
        }
    }

    [Fact]
    public void A_claimed_window_takes_no_memory_and_one_too_large_is_refused()
    {
        byte[] claims = [0x28, 0xB5, 0x2F, 0xFD, 0, (27 - 10) << 3, 0x0B, 0, 0, (byte)'x'];
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Equal("x"u8.ToArray(), Decompress(claims));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 2 << 20);
        Assert.Contains("window", Assert.Throws<InvalidDataException>(() => Decompress(claims, 1 << 23)).Message);
    }

    [Theory]
    [InlineData("-1")]
    [InlineData("-3")]
    [InlineData("-9")]
    [InlineData("-19")]
    [InlineData("-3 --long=27")]
    [InlineData("--fast=5 --no-check")]
    [InlineData("-19 --ultra -B1000 --no-content-size")]
    public void What_the_zstd_program_writes_is_read(string options)
    {
        var random = new Random(13);
        byte[][] samples = [Words(random, 100), Words(random, 100_000), Words(random, 2 << 20), new byte[500_000], []];
        foreach (var sample in samples)
            Assert.Equal(sample, Decompress(Zstd(options + " -c -q", sample)));
    }

    [Fact]
    public void What_is_written_is_read_by_the_zstd_program()
    {
        foreach (var sample in Samples())
        {
            Assert.Equal(sample, Zstd("-d -c -q", Compress(sample)));
            if (sample.Length is > 100 and < 2000)
                Assert.Equal([.. sample, .. sample],
                    Zstd("-d -c -q", [.. Compress(sample), .. Compress(sample, withChecksum: false)]));
        }
    }

    private static byte[] Zstd(string arguments, byte[] input)
    {
        Process process;
        try
        {
            process = Process.Start(new ProcessStartInfo("zstd", arguments)
            {
                RedirectStandardInput = true, RedirectStandardOutput = true,
            })!;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Skip("The zstd program is not installed.");
            return [];
        }
        using (process)
        using (var output = new MemoryStream())
        {
            var feeding = Task.Run(() =>
            {
                process.StandardInput.BaseStream.Write(input);
                process.StandardInput.Close();
            });
            process.StandardOutput.BaseStream.CopyTo(output);
            feeding.Wait();
            process.WaitForExit();
            Assert.Equal(0, process.ExitCode);
            return output.ToArray();
        }
    }
}

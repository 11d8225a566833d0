using Finery.Data.Compression;
using Finery.Data.Parquet;
using Xunit;

namespace Finery.Tests.Data.Parquet;

public sealed class EncodingTests
{
    private static SchemaNode Leaf(PhysicalType type) => new() { Name = "x", Repetition = Repetition.Required, Type = type };

    [Fact]
    public void Published_encodings_are_read()
    {
        byte[] packed = [0x03, 0x88, 0xC6, 0xFA];
        var hybrid = new HybridReader(packed, 0, packed.Length, 3);
        Assert.Equal([0, 1, 2, 3, 4, 5, 6, 7], Enumerable.Range(0, 8).Select(_ => hybrid.Next()));

        byte[] delta = [0x80, 0x01, 0x04, 0x08, 0x0E, 0x03, 0x02, 0, 0, 0, 0xC0, 0x3F, 0, 0, 0, 0, 0, 0];
        var values = new DeltaReader(delta, 0, delta.Length, 8);
        Assert.Equal([7, 5, 3, 1, 2, 3, 4, 5], Enumerable.Range(0, 8).Select(_ => values.Next()));

        // axis, axle, babble, babyhood: prefixes 0, 2, 0, 3, suffix lengths 4, 2, 6, 5
        byte[] bytes = [.. Deltas(0, 2, 0, 3), .. Deltas(4, 2, 6, 5), .. "axislebabbleyhood"u8];
        var words = ValueReader.Create(7, Leaf(PhysicalType.ByteArray), bytes, 0, bytes.Length, 4, null);
        Assert.Equal(["axis", "axle", "babble", "babyhood"], Enumerable.Range(0, 4).Select(_ => words.Text()));
        byte[] lengths = [.. Deltas(4, 2, 6, 5), .. "axislebabbleyhood"u8];
        words = ValueReader.Create(6, Leaf(PhysicalType.ByteArray), lengths, 0, lengths.Length, 4, null);
        Assert.Equal(["axis", "le", "babble", "yhood"], Enumerable.Range(0, 4).Select(_ => words.Text()));
    }

    [Fact]
    public void Split_bytes_are_joined()
    {
        double[] numbers = [1.5, -2.25, 1e300];
        var bytes = numbers.Select(BitConverter.GetBytes).ToArray();
        byte[] split = [.. Enumerable.Range(0, 8).SelectMany(i => bytes.Select(b => b[i]))];
        var values = ValueReader.Create(9, Leaf(PhysicalType.Double), split, 0, split.Length, 3, null);
        Assert.Equal(numbers, numbers.Select(_ => values.Real()));
        Assert.Throws<InvalidDataException>(() => values.Real());
    }

    [Fact]
    public void Runs_and_packed_integers_read_back()
    {
        var random = new Random(1);
        for (var i = 0; i < 500; i++)
        {
            var width = random.Next(1, 21);
            var isRunny = random.Next(2) == 0;
            var value = 0;
            int[] values = [.. Enumerable.Range(0, random.Next(1, 300)).Select(_ =>
                value = isRunny && random.Next(10) != 0 ? value : random.Next(1 << width))];
            var buffer = new PageBuffer();
            HybridWriter.Write(buffer, values, width);
            var bytes = buffer.Written.ToArray();
            var reader = new HybridReader(bytes, 0, bytes.Length, width);
            Assert.Equal(values, values.Select(_ => reader.Next()));
        }
    }

    [Fact]
    public void Wide_differences_wrap_around()
    {
        long[] values = [long.MaxValue, long.MinValue, 0, -1, long.MaxValue];
        // One block of 128 in one miniblock of 64 bits.
        byte[] header = [0x80, 0x01, 0x01, 5, .. ZigZag(values[0])];
        long[] deltas = [.. values.Skip(1).Zip(values, (next, last) => unchecked(next - last))];
        byte[] bytes = [.. header, 0, 64, .. deltas.SelectMany(BitConverter.GetBytes)];
        var reader = new DeltaReader(bytes, 0, bytes.Length, 5);
        Assert.Equal(values, values.Select(_ => reader.Next()));
    }

    private static byte[] ZigZag(long value)
    {
        var bytes = new List<byte>();
        for (var bits = (ulong)(value << 1) ^ (ulong)(value >> 63); ; bits >>= 7)
        {
            bytes.Add((byte)(bits < 128 ? bits : (bits & 127) | 128));
            if (bits < 128)
                return [.. bytes];
        }
    }

    /// <summary>A few small integers as packed differences of four bits from a minimum.</summary>
    private static byte[] Deltas(params int[] values)
    {
        int[] deltas = [.. values.Skip(1).Zip(values, (next, last) => next - last)];
        var packed = new byte[128 / 4 * 4 / 8];
        for (var i = 0; i < deltas.Length; i++)
            packed[i / 2] |= (byte)((deltas[i] - deltas.Min()) << (i % 2 * 4));
        return [0x80, 0x01, 0x04, (byte)values.Length, .. ZigZag(values[0]), .. ZigZag(deltas.Min()), 4, 0, 0, 0, .. packed];
    }

    [Fact]
    public void The_checksum_is_that_of_gzip() => Assert.Equal(0xCBF43926, Crc32.Of("123456789"u8));

    [Fact]
    public void A_thrift_structure_reads_back_and_the_unknown_is_skipped()
    {
        var writer = new ThriftWriter();
        writer.Int32(1, -5);
        writer.List(3, ThriftType.Struct, 20);
        for (var i = 0; i < 20; i++)
        {
            writer.Begin();
            writer.Text(1, new string('x', i * 20));
            writer.Begin(40);
            writer.Int64(2, long.MinValue);
            writer.End();
            writer.End();
        }
        writer.Int64(100, 1L << 40);
        writer.End();
        var reader = new ThriftReader(writer.Written);
        var id = reader.Begin();
        Assert.True(reader.NextField(ref id, out _));
        Assert.Equal(-5, reader.Int32());
        Assert.True(reader.NextField(ref id, out var list));
        reader.Skip(list);
        Assert.True(reader.NextField(ref id, out _));
        Assert.Equal((100, 1L << 40), (id, reader.Integer()));
        Assert.False(reader.NextField(ref id, out _));
    }
}

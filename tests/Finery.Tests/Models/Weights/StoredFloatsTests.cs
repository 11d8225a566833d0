using System.Runtime.InteropServices;
using Finery.Models.Weights;
using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Models.Weights;

public class StoredFloatsTests
{
    private static readonly ushort[] All = [.. Enumerable.Range(0, 65536).Select(i => (ushort)i)];

    // One element more than a whole number of vectors, and one byte off any alignment.
    private static byte[] Unaligned(ushort[] elements) => [0, .. MemoryMarshal.AsBytes<ushort>(elements)];

    [Fact]
    public void Every_half_and_bfloat16_is_widened_exactly()
    {
        var (halves, narrow) = (new float[All.Length - 3], new float[All.Length - 3]);
        byte[] bytes = Unaligned(All);
        StoredFloats.WidenHalf(bytes.AsSpan(1, 2 * halves.Length), halves);
        StoredFloats.WidenBFloat16(bytes.AsSpan(1, 2 * narrow.Length), narrow);
        for (int i = 0; i < halves.Length; i++)
        {
            float half = (float)BitConverter.UInt16BitsToHalf(All[i]);
            if (float.IsNaN(half)) Assert.True(float.IsNaN(halves[i]));
            else Assert.Equal(BitConverter.SingleToUInt32Bits(half), BitConverter.SingleToUInt32Bits(halves[i]));
            Assert.Equal((uint)All[i] << 16, BitConverter.SingleToUInt32Bits(narrow[i]));
        }
        Assert.Throws<ArgumentException>(() => StoredFloats.WidenHalf(bytes, halves));
    }

    [Fact]
    public void Rounding_is_that_of_the_type()
    {
        var random = new Random(1);
        float[] values = [float.NaN, float.PositiveInfinity, float.NegativeInfinity, 0, -0f, float.MaxValue, float.Epsilon,
            BitConverter.UInt32BitsToSingle(0x7F800001),
            .. Enumerable.Range(0, 10_001).Select(_ => BitConverter.Int32BitsToSingle(random.Next(int.MinValue, int.MaxValue)))];
        var rounded = new BFloat16[values.Length];
        StoredFloats.Round(values, rounded);
        Assert.Equal(values.Select(value => (BFloat16)value), rounded);
    }

    [Fact]
    public void Halves_widened_and_stored_again_keep_their_bits()
    {
        using var folder = new TemporaryFolder();
        using var arena = new Arena("test");
        ushort[] finite = [.. All.Where(bits => Half.IsFinite(BitConverter.UInt16BitsToHalf(bits)))];
        SafeTensorsWriter.WriteStreamed(folder["h"], [new TensorSource("h", "F16", [finite.Length],
            stream => stream.Write(MemoryMarshal.AsBytes<ushort>(finite)))]);
        var floats = arena.Floats("h", finite.Length);
        using (var file = SafeTensorsFile.Open(folder["h"])) file.Read("h", floats);
        SafeTensorsWriter.Write(folder["again"], [new NamedTensor("h", floats)], SafeTensorType.F16);
        Assert.Equal(File.ReadAllBytes(folder["h"]), File.ReadAllBytes(folder["again"]));
    }

    [Theory]
    [InlineData("F32")]
    [InlineData("F16")]
    [InlineData("BF16")]
    [InlineData("F64")]
    [InlineData("I8")]
    [InlineData("I32")]
    [InlineData("U64")]
    public void Statistics_are_those_of_the_values(string type)
    {
        using var folder = new TemporaryFolder();
        double[] values = [.. Enumerable.Range(0, 10_000).Select(i => type[0] == 'U' ? (double)(i % 100) : i % 100 - 50)];
        using var content = new MemoryStream();
        using var writer = new BinaryWriter(content);
        foreach (double value in values)
        {
            switch (type)
            {
                case "F32": writer.Write((float)value); break;
                case "F16": writer.Write((Half)value); break;
                case "BF16": writer.Write(((BFloat16)(float)value).Bits); break;
                case "F64": writer.Write(value); break;
                case "I8": writer.Write((sbyte)value); break;
                case "I32": writer.Write((int)value); break;
                default: writer.Write((ulong)value); break;
            }
        }
        SafeTensorsWriter.WriteStreamed(folder["v"], [new TensorSource("v", type, [values.Length], stream => stream.Write(content.ToArray()))]);
        using var file = SafeTensorsFile.Open(folder["v"]);
        var found = TensorStatistics.Of(type, file.Map("v"))!;
        Assert.Equal((values.Min(), values.Max(), 0L), (found.Min, found.Max, found.NonFinite));
        Assert.Equal(values.Average(), found.Mean, 1e-9);
        Assert.Equal(Math.Sqrt((100 * 100 - 1) / 12.0), found.Deviation, 1e-9);
    }

    [Fact]
    public void Statistics_count_what_is_not_finite_and_leave_it_out()
    {
        using var folder = new TemporaryFolder();
        SafeTensorsWriter.WriteStreamed(folder["v"],
        [
            new TensorSource("v", "F32", [4], stream =>
                stream.Write(MemoryMarshal.AsBytes<float>((float[])[1e6f, float.NaN, 1e6f + 1, float.NegativeInfinity]))),
            new TensorSource("n", "F32", [1], stream => stream.Write(MemoryMarshal.AsBytes<float>((float[])[float.NaN]))),
            new TensorSource("e", "F32", [0], _ => { }),
            new TensorSource("b", "BOOL", [1], stream => stream.WriteByte(1)),
        ]);
        using var file = SafeTensorsFile.Open(folder["v"]);
        Assert.Equal(new TensorStatistics(2, 1e6, 1e6 + 1, 1e6 + 0.5, 0.5), TensorStatistics.Of("F32", file.Map("v")));
        Assert.Equal(1, TensorStatistics.Of("F32", file.Map("n"))!.NonFinite);
        Assert.Null(TensorStatistics.Of("F32", file.Map("e")));
        Assert.Null(TensorStatistics.Of("BOOL", file.Map("b")));
    }
}

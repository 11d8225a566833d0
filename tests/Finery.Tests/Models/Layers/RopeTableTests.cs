using Finery.Models;
using Finery.Models.Layers;
using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Models.Layers;

public class RopeTableTests
{
    // Pretraining reference 11, case 3, and formats reference 2.2.
    private static readonly ModelConfig Llama = TinyModels.Config with { HeadSize = 128, RopeTheta = 5e5 };

    [Fact]
    public void Frequencies_are_the_golden_ones()
    {
        double[] frequencies = RopeTable.Frequencies(Llama);
        Assert.Equal(64, frequencies.Length);
        Close(8.146172339e-1, frequencies[1]);
        Close(1.414213562e-3, frequencies[32]);
    }

    [Theory]
    [InlineData(28, 3.211445995e-3)]
    [InlineData(29, 2.166570764e-3)]
    [InlineData(30, 1.371893568e-3)]
    [InlineData(31, 8.567514129e-4)]
    [InlineData(32, 5.248461610e-4)]
    [InlineData(33, 3.126937504e-4)]
    [InlineData(34, 1.785078128e-4)]
    [InlineData(35, 9.556212354e-5)]
    [InlineData(63, 3.068925989e-7)]
    public void Llama3_scaling_gives_the_golden_frequencies(int index, double expected) =>
        Close(expected, RopeTable.Frequencies(Llama with { RopeScaling = new Llama3Scaling(8, 1, 4, 8192) })[index]);

    [Theory]
    [InlineData(128, 8, 28, 1)]
    [InlineData(128, 8, 29, 1.207484)]
    [InlineData(128, 8, 34, 5.257327)]
    [InlineData(128, 8, 35, 8)]
    [InlineData(128, 8, 63, 8)]
    [InlineData(64, 32, 14, 1)]
    [InlineData(64, 32, 15, 1.651329)]
    [InlineData(64, 32, 17, 9.666729)]
    [InlineData(64, 32, 18, 32)]
    public void Llama3_scaling_divides_by_the_golden_ratios(int headSize, double factor, int index, double expected)
    {
        var config = Llama with { HeadSize = headSize };
        double scaled = RopeTable.Frequencies(config with { RopeScaling = new Llama3Scaling(factor, 1, 4, 8192) })[index];
        Assert.Equal(expected, RopeTable.Frequencies(config)[index] / scaled, 1e-6 * expected);
    }

    [Theory]
    [InlineData(24, 1)]
    [InlineData(25, .966667)]
    [InlineData(30, .8)]
    [InlineData(38, .533333)]
    [InlineData(39, .5)]
    [InlineData(63, .5)]
    public void Yarn_gives_the_golden_ratios_and_amplitude(int index, double ratio)
    {
        var plain = Llama with { RopeTheta = 5e6 };
        var yarn = plain with { RopeScaling = new YarnScaling(2, 65536) };
        Assert.Equal(ratio, RopeTable.Frequencies(yarn)[index] / RopeTable.Frequencies(plain)[index], 1e-6);
        using var arena = new Arena("test");
        var table = new RopeTable(arena, yarn, positions: 2);
        Assert.Equal(1.0693147f, table.Cos.Floats[index], 1e-6);
        Assert.Equal(1.0693147 * Math.Sin(RopeTable.Frequencies(yarn)[index]), table.Sin.Floats[64 + index], 1e-7);
    }

    [Fact]
    public void A_vector_is_rotated_in_half_split_pairs()
    {
        using var arena = new Arena("test");
        var config = TinyModels.Config with { HeadCount = 1, KvHeadCount = 1, HeadSize = 4, RopeTheta = 1e4 };
        var table = new RopeTable(arena, config, positions: 8);
        var qkv = arena.Floats("qkv", 1, 12);
        float[] x = [1, 2, 3, 4];
        for (int part = 0; part < 3; part++) x.CopyTo(qkv.Floats[(4 * part)..]);
        var positions = arena.Integers("positions", 1);
        positions.Integers[0] = 3;
        using var kernels = new ReferenceKernels();
        kernels.Rope(qkv, positions, table.Cos, table.Sin, config.Attention, inverse: false);
        float[] expected = [-1.413352521f, 1.879118067f, -2.828857482f, 4.058191135f];
        for (int i = 0; i < 4; i++)
        {
            Close(expected[i], qkv.Floats[i], 1e-6);
            Close(expected[i], qkv.Floats[4 + i], 1e-6);
            Assert.Equal(x[i], qkv.Floats[8 + i]);
        }
    }

    [Fact]
    public void Far_positions_keep_full_precision()
    {
        using var arena = new Arena("test");
        var table = new RopeTable(arena, Llama, positions: 100_001);
        double angle = 100_000 * RopeTable.Frequencies(Llama)[1];
        Assert.Equal((float)Math.Cos(angle), table.Cos.Floats[(100_000 * 64) + 1]);
        Assert.Equal((float)Math.Sin(angle), table.Sin.Floats[(100_000 * 64) + 1]);
    }

    private static void Close(double expected, double actual, double relative = 1e-9) =>
        Assert.Equal(expected, actual, Math.Abs(expected) * relative);
}

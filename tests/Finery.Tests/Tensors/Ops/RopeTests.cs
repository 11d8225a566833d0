using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Tensors.Ops;

public class RopeTests : OpTest
{
    /// <summary>Angles <c>position theta^(-2i/HS)</c>, theta 10,000.</summary>
    private (Tensor Cos, Tensor Sin) Tables(int positions, int headSize)
    {
        var (cos, sin) = (Zeros(positions, headSize / 2), Zeros(positions, headSize / 2));
        for (int i = 0; i < cos.Length; i++)
        {
            double angle = i / cos.Columns * Math.Pow(10_000, -2.0 * (i % cos.Columns) / headSize);
            (cos[i], sin[i]) = ((float)Math.Cos(angle), (float)Math.Sin(angle));
        }
        return (cos, sin);
    }

    [Theory, MemberData(nameof(AllKernels))]
    public void Golden_half_split_rotation_leaves_values_alone(string name)
    {
        var (cos, sin) = Tables(4, 4);
        var qkv = Matrix([1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4]);
        Create(name).Rope(qkv, Integers(3), cos, sin, new AttentionShape(1, 1, 4), inverse: false);
        float[] rotated = [-1.413352521f, 1.879118067f, -2.828857482f, 4.058191135f];
        AssertClose([.. rotated, .. rotated, 1, 2, 3, 4], qkv.Floats, 1e-7);
    }

    [Theory]
    [InlineData(1, 1, 2, 1)]
    [InlineData(3, 1, 24, 40)]
    [InlineData(4, 2, 32, 17)]
    [InlineData(2, 2, 64, 100)]
    public void Cpu_matches_reference_and_inverts_on_any_threads(int H, int KV, int HS, int N)
    {
        var shape = new AttentionShape(H, KV, HS);
        var (cos, sin) = Tables(50, HS);
        var positions = Integers([.. Enumerable.Range(0, N).Select(i => i * 7 % 50)]);
        var original = Normal(1, N, shape.QkvColumns);
        var expected = Copy(original);
        Create("reference").Rope(expected, positions, cos, sin, shape, inverse: false);
        Tensor? first = null;
        foreach (string name in (string[])["cpu1", "cpu2", "cpu3"])
        {
            var actual = Copy(original);
            Create(name).Rope(actual, positions, cos, sin, shape, inverse: false);
            AssertClose(expected, actual, 1e-6);
            AssertSameBits(first ??= Copy(actual), actual);
            Create(name).Rope(actual, positions, cos, sin, shape, inverse: true);
            AssertClose(original, actual, 1e-6);
        }
    }

    [Theory]
    [InlineData(2, 1, 8, 0, 5, 9)]
    [InlineData(1, 1, 2, 9)]
    [InlineData(3, 3, 14, 1, 0)]
    public void Inverse_is_the_gradient(int H, int KV, int HS, params int[] at) => AssertGradients(kernels =>
    {
        var (shape, positions) = (new AttentionShape(H, KV, HS), Integers(at));
        var (cos, sin) = Tables(10, HS);
        var (input, output) = (Normal(2, at.Length, shape.QkvColumns), Poisoned(at.Length, shape.QkvColumns));
        var dOutput = Normal(3, at.Length, shape.QkvColumns);
        var gradient = Copy(dOutput);
        kernels.Rope(gradient, positions, cos, sin, shape, inverse: true);
        return new(
            () =>
            {
                input.Bytes.CopyTo(output.Bytes);
                kernels.Rope(output, positions, cos, sin, shape, inverse: false);
            },
            output, dOutput, (input, gradient));
    });

    [Fact]
    public void Allocates_nothing()
    {
        var (kernels, shape, positions) = (Create("cpu2"), new AttentionShape(2, 1, 8), Integers(new int[40]));
        var (cos, sin) = Tables(10, 8);
        var qkv = Normal(4, 40, 32);
        AssertAllocatesNothing(() => kernels.Rope(qkv, positions, cos, sin, shape, inverse: false));
    }

    [Fact]
    public void A_position_outside_the_tables_and_a_wrong_table_are_errors()
    {
        var (kernels, shape) = (Create("cpu1"), new AttentionShape(2, 1, 8));
        var (cos, sin) = Tables(10, 8);
        foreach (int position in (int[])[-1, 10])
        {
            Assert.Throws<ArgumentOutOfRangeException>(
                () => kernels.Rope(Zeros(1, 32), Integers(position), cos, sin, shape, inverse: false));
        }
        Assert.Throws<ArgumentException>(() => kernels.Rope(Zeros(1, 32), Integers(0), cos, Zeros(9, 4), shape, inverse: false));
        Assert.Throws<ArgumentException>(() => kernels.Rope(Zeros(2, 32), Integers(0), cos, sin, shape, inverse: false));
    }
}

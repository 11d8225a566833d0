using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Tensors.Ops;

public class QkClipTests : OpTest
{
    private const int HS = 2, D = 19;

    private static readonly float[] Logits = [150, 80, 120, 90];

    [Theory]
    [InlineData("reference", 4, QkClipRule.ByShape, new[] { .816496581, 1, .912870929, 1 }, new[] { .816496581, 1, .912870929, 1 })]
    [InlineData("cpu2", 4, QkClipRule.ByShape, new[] { .816496581, 1, .912870929, 1 }, new[] { .816496581, 1, .912870929, 1 })]
    [InlineData("reference", 1, QkClipRule.Group, new[] { .816496581, .816496581, .816496581, .816496581 }, new[] { .816496581 })]
    [InlineData("cpu2", 1, QkClipRule.Group, new[] { .816496581, .816496581, .816496581, .816496581 }, new[] { .816496581 })]
    [InlineData("reference", 1, QkClipRule.ByShape, new[] { .666666667, 1, .833333333, 1 }, new[] { 1.0 })]
    [InlineData("cpu2", 1, QkClipRule.ByShape, new[] { .666666667, 1, .833333333, 1 }, new[] { 1.0 })]
    [InlineData("cpu1", 4, QkClipRule.QueryOnly, new[] { .666666667, 1, .833333333, 1 }, new[] { 1.0, 1, 1, 1 })]
    [InlineData("cpu1", 2, QkClipRule.Group, new[] { .816496581, .816496581, .912870929, .912870929 }, new[] { .816496581, .912870929 })]
    public void Golden_factors(string name, int KV, QkClipRule rule, double[] queries, double[] keys)
    {
        var shape = new AttentionShape(4, KV, HS);
        var weight = Zeros(shape.QkvColumns, D);
        weight.Floats.Fill(1);
        Assert.Equal(2, Create(name).QkClip(weight, null, Matrix(Logits), shape, 100, rule));
        double[] factors = [.. queries, .. keys, .. Enumerable.Repeat(1.0, KV)];
        for (int i = 0; i < weight.Length; i++) Assert.Equal(factors[i / D / HS], weight[i], 1e-7);
    }

    [Theory]
    [InlineData(4, QkClipRule.ByShape)]
    [InlineData(1, QkClipRule.Group)]
    [InlineData(1, QkClipRule.QueryOnly)]
    [InlineData(2, QkClipRule.ByShape)]
    public void The_largest_logits_of_the_same_batch_come_to_the_threshold(int KV, QkClipRule rule)
    {
        const int N = 40;
        var kernels = Create("cpu2");
        var shape = new AttentionShape(4, KV, 8);
        var (x, weight, qkv) = (Normal(1, N, D), Normal(2, 2f, shape.QkvColumns, D), Zeros(N, shape.QkvColumns));
        var (starts, output, logSumExp) = (Integers(new int[N]), Zeros(N, shape.OutputColumns), Zeros(N, 4));
        float[] Largest()
        {
            var max = Zeros(4);
            kernels.LinearForward(x, weight, qkv);
            kernels.AttentionForward(qkv, starts, shape, output, logSumExp, max);
            return max.Floats.ToArray();
        }
        float[] before = Largest();
        float threshold = (before.Max() + before.Min()) / 2;
        kernels.QkClip(weight, null, Matrix(before), shape, threshold, rule);
        float[] after = Largest();
        for (int head = 0; head < 4; head++)
        {
            bool group = rule == QkClipRule.Group || KV == 4;
            if (before[head] > threshold && (!group || KV == 4)) Assert.Equal(threshold, after[head], 1e-5 * threshold);
            else if (group && KV == 1) Assert.InRange(after[head], 0, threshold * (1 + 1e-5));
            else Assert.Equal(before[head], after[head]);
        }
    }

    [Theory, MemberData(nameof(AllKernels))]
    public void Below_the_threshold_nothing_changes_and_a_logit_that_is_not_finite_is_an_error(string name)
    {
        var (kernels, shape) = (Create(name), new AttentionShape(4, 2, HS));
        var weight = Normal(1, shape.QkvColumns, D);
        var before = Copy(weight);
        Assert.Equal(0, kernels.QkClip(weight, null, Matrix([100, 99, -5, 0]), shape, 100));
        foreach (float bad in (float[])[float.NaN, float.PositiveInfinity, float.NegativeInfinity])
        {
            var error = Assert.Throws<ArithmeticException>(() => kernels.QkClip(weight, null, Matrix([150, bad, 120, 90]), shape, 100));
            Assert.Contains("head 1", error.Message, StringComparison.Ordinal);
        }
        AssertSameBits(before, weight);
        Assert.Throws<ArgumentException>(() => kernels.QkClip(weight, null, Matrix([150, 120]), shape, 100));
        Assert.Throws<ArgumentException>(() => kernels.QkClip(Zeros(3, D), null, Matrix(Logits), shape, 100));
        Assert.Throws<ArgumentOutOfRangeException>(() => kernels.QkClip(weight, null, Matrix(Logits), shape, 0));
    }

    [Fact]
    public void Allocates_nothing()
    {
        var (kernels, shape) = (Create("cpu2"), new AttentionShape(4, 2, HS));
        var (weight, logits) = (Normal(1, shape.QkvColumns, D), Matrix(Logits));
        AssertAllocatesNothing(() => kernels.QkClip(weight, null, logits, shape, 100));
    }

    [Theory]
    [InlineData("reference", DType.U16, QkClipRule.QueryOnly)]
    [InlineData("cpu1", DType.U16, QkClipRule.Group)]
    [InlineData("cpu3", DType.F32, QkClipRule.Group)]
    [InlineData("reference", DType.F32, QkClipRule.Group)]
    public void Masters_are_scaled_as_fp32_weights_to_the_bit_and_weights_follow(string name, DType masters, QkClipRule rule)
    {
        const int Wide = 901;
        var (kernels, shape) = (Create(name), new AttentionShape(4, 2, 8));
        var exact = Normal(1, shape.QkvColumns, Wide);
        var (weight, master) = (Arena.Allocate("w", DType.BF16, exact.Shape), Arena.Allocate("m", masters, exact.Shape));
        for (int i = 0; i < exact.Length; i++)
        {
            uint bits = BitConverter.SingleToUInt32Bits(exact.Floats[i]);
            weight.BFloat16s[i] = masters == DType.U16 ? new((ushort)(bits >> 16)) : (BFloat16)exact.Floats[i];
            if (masters == DType.U16) master.UInt16s[i] = (ushort)bits;
            else master.Floats[i] = exact.Floats[i];
        }
        Assert.Equal(2, kernels.QkClip(exact, null, Matrix(Logits), shape, 100, rule));
        Assert.Equal(2, kernels.QkClip(weight, master, Matrix(Logits), shape, 100, rule));
        for (int i = 0; i < exact.Length; i++)
        {
            uint bits = BitConverter.SingleToUInt32Bits(exact.Floats[i]);
            if (masters == DType.U16) Assert.Equal(bits, ((uint)weight.BFloat16s[i].Bits << 16) | master.UInt16s[i]);
            else Assert.Equal((exact.Floats[i], (BFloat16)exact.Floats[i]), (master.Floats[i], weight.BFloat16s[i]));
        }
    }

    [Fact]
    public void Without_masters_weights_are_rounded_without_bias_and_the_same_on_any_threads()
    {
        const int Wide = 1901;
        var shape = new AttentionShape(2, 1, 8);
        Tensor Run(string name)
        {
            var weight = Arena.Allocate("w", DType.BF16, shape.QkvColumns, Wide);
            for (int i = 0; i < weight.Length; i++) weight.BFloat16s[i] = (BFloat16)1f;
            Create(name).QkClip(weight, null, Matrix([100.1f, 1]), shape, 100, QkClipRule.QueryOnly, new StochasticRounding(7));
            return weight;
        }
        var one = Run("cpu1");
        AssertSameBits(one, Run("cpu3"));
        AssertSameBits(one, Run("reference"));
        double sum = 0;
        for (int i = 0; i < 8 * Wide; i++) sum += one[i];
        // Steps below 1 are 2^-8; four deviations of the mean.
        Assert.Equal(100 / 100.1, sum / (8 * Wide), 4 * .5 / 256 / Math.Sqrt(8 * Wide));
        for (int i = 8 * Wide; i < one.Length; i++) Assert.Equal(1, one[i]);
    }
}

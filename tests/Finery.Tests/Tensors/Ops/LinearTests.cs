using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Tensors.Ops;

public class LinearTests : OpTest
{
    public static TheoryData<int, int, int> Shapes => new()
    {
        // tokens, inputs, outputs: single rows and columns, primes, whole tiles, one past a tile, several blocks of the inner dimension
        { 1, 1, 1 }, { 1, 7, 5 }, { 1, 400, 67 }, { 1, 17, 1 }, { 2, 3, 1 }, { 5, 1, 13 }, { 7, 64, 33 }, { 16, 401, 31 },
        { 17, 13, 97 }, { 48, 16, 64 }, { 49, 385, 65 }, { 97, 31, 1 }, { 101, 1, 103 }, { 193, 33, 29 }, { 257, 769, 131 },
        { 800, 24, 40 },
    };

    [Theory, MemberData(nameof(Shapes))]
    public void Forward_matches_reference_with_the_same_bits_on_any_threads(int tokens, int inputs, int outputs)
    {
        var (x, weight, expected) = (Normal(1, tokens, inputs), Normal(2, outputs, inputs), Poisoned(tokens, outputs));
        Create("reference").LinearForward(x, weight, expected);
        Tensor? first = null;
        foreach (string name in (string[])["cpu1", "cpu2", "cpu3"])
        {
            var y = Poisoned(tokens, outputs);
            Create(name).LinearForward(x, weight, y);
            AssertClose(expected, y, 3e-6);
            AssertSameBits(first ??= y, y);
        }
    }

    [Theory, MemberData(nameof(Shapes))]
    public void Backward_matches_reference_with_the_same_bits_on_any_threads(int tokens, int inputs, int outputs)
    {
        var (dy, x, weight) = (Normal(1, tokens, outputs), Normal(2, tokens, inputs), Normal(3, outputs, inputs));
        var (dx, dWeight) = (Poisoned(tokens, inputs), Normal(4, outputs, inputs));
        var start = Copy(dWeight);
        Create("reference").LinearBackward(dy, x, weight, dx, dWeight);
        Tensor? firstDx = null, firstDWeight = null;
        foreach (string name in (string[])["cpu1", "cpu2", "cpu3"])
        {
            var (cpuDx, cpuDWeight) = (Poisoned(tokens, inputs), Copy(start));
            Create(name).LinearBackward(dy, x, weight, cpuDx, cpuDWeight);
            AssertClose(dx, cpuDx, 3e-6);
            AssertClose(dWeight, cpuDWeight, 3e-6);
            AssertSameBits(firstDx ??= cpuDx, cpuDx);
            AssertSameBits(firstDWeight ??= cpuDWeight, cpuDWeight);
        }
    }

    [Theory, MemberData(nameof(Shapes))]
    public void A_residual_is_added_on_any_threads_and_in_place(int tokens, int inputs, int outputs)
    {
        var (x, weight, residual) = (Normal(1, tokens, inputs), Normal(2, outputs, inputs), Normal(3, tokens, outputs));
        var expected = Poisoned(tokens, outputs);
        Create("reference").LinearForward(x, weight, expected, residual);
        Tensor? first = null;
        foreach (string name in (string[])["cpu1", "cpu2", "cpu3"])
        {
            var (y, inPlace) = (Poisoned(tokens, outputs), Copy(residual));
            Create(name).LinearForward(x, weight, y, residual);
            AssertClose(expected, y, 3e-6);
            AssertSameBits(first ??= y, y);
            Create(name).LinearForward(x, weight, inPlace, inPlace);
            AssertSameBits(first, inPlace);
        }
    }

    [Fact]
    public void A_row_has_the_same_bits_in_any_batch()
    {
        var (x, weight) = (Normal(1, 230, 805), Normal(2, 75, 805));
        var kernels = Create("cpu2");
        var whole = Poisoned(230, 75);
        kernels.LinearForward(x, weight, whole);
        foreach (var (start, count) in ((int, int)[])[(0, 1), (229, 1), (3, 2), (10, 16), (20, 17), (5, 200)])
        {
            var part = Poisoned(count, 75);
            kernels.LinearForward(x.Slice(start, count), weight, part);
            AssertSameBits(whole.Slice(start, count), part, $"rows {start}+{count}");
        }
    }

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(1, 7, 5)]
    [InlineData(5, 11, 7)]
    [InlineData(17, 9, 33)]
    public void Gradients_are_exact(int tokens, int inputs, int outputs) => AssertGradients(kernels =>
    {
        var (x, weight) = (Normal(1, tokens, inputs), Normal(2, outputs, inputs));
        var (y, dy) = (Poisoned(tokens, outputs), Normal(3, tokens, outputs));
        var (dx, dWeight) = (Poisoned(tokens, inputs), Zeros(outputs, inputs));
        kernels.LinearBackward(dy, x, weight, dx, dWeight);
        return new(() => kernels.LinearForward(x, weight, y), y, dy, (x, dx), (weight, dWeight));
    });

    [Theory, MemberData(nameof(AllKernels))]
    public void Missing_gradients_are_left_out(string name)
    {
        var kernels = Create(name);
        var (dy, x, weight) = (Normal(1, 6, 4), Normal(2, 6, 9), Normal(3, 4, 9));
        var (dx, dWeight, dxAlone, dWeightAlone) = (Poisoned(6, 9), Zeros(4, 9), Poisoned(6, 9), Zeros(4, 9));
        kernels.LinearBackward(dy, x, weight, dx, dWeight);
        kernels.LinearBackward(dy, x, weight, dxAlone, null);
        kernels.LinearBackward(dy, x, weight, null, dWeightAlone);
        AssertSameBits(dx, dxAlone);
        AssertSameBits(dWeight, dWeightAlone);
    }

    [Theory, MemberData(nameof(AllKernels))]
    public void NaN_and_infinity_reach_their_row_only(string name)
    {
        var (x, weight, y) = (Normal(1, 20, 9), Normal(2, 5, 9), Poisoned(20, 5));
        x.Floats[3 * 9 + 2] = float.NaN;
        x.Floats[11 * 9] = float.PositiveInfinity;
        Create(name).LinearForward(x, weight, y);
        for (int i = 0; i < 20; i++)
        {
            foreach (float value in y.Slice(i, 1).Floats) Assert.Equal(i is not (3 or 11), float.IsFinite(value));
        }
    }

    [Theory, MemberData(nameof(AllKernels))]
    public void No_tokens_leave_the_weight_gradient_alone(string name)
    {
        var (dWeight, weight) = (Normal(1, 4, 3), Normal(2, 4, 3));
        var before = Copy(dWeight);
        var kernels = Create(name);
        kernels.LinearForward(Zeros(0, 3), weight, Zeros(0, 4));
        kernels.LinearBackward(Zeros(0, 4), Zeros(0, 3), weight, Zeros(0, 3), dWeight);
        AssertSameBits(before, dWeight);
    }

    [Theory]
    [InlineData("cpu1", 1)]
    [InlineData("cpu2", 1)]
    [InlineData("cpu2", 7)]
    [InlineData("cpu2", 200)]
    public void Allocates_nothing(string name, int tokens)
    {
        var kernels = Create(name);
        var (x, weight, y) = (Normal(1, tokens, 65), Normal(2, 130, 65), Normal(3, tokens, 130));
        var (dx, dWeight) = (Zeros(tokens, 65), Zeros(130, 65));
        AssertAllocatesNothing(() =>
        {
            kernels.LinearForward(x, weight, y);
            kernels.LinearBackward(y, x, weight, dx, dWeight);
        });
    }

    [Fact]
    public void Wrong_shapes_are_named()
    {
        var kernels = Create("cpu1");
        var error = Assert.Throws<ArgumentException>(() => kernels.LinearForward(Zeros(2, 6), Zeros(4, 5), Zeros(2, 4)));
        Assert.Contains("LinearForward: weight", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => kernels.LinearForward(Zeros(2, 6), Zeros(4, 6), Zeros(3, 4)));
        Assert.Throws<ArgumentException>(() => kernels.LinearBackward(Zeros(2, 4), Zeros(2, 6), Zeros(4, 6), Zeros(2, 5), null));
        Assert.Throws<ArgumentException>(() => kernels.LinearBackward(Zeros(2, 4), Zeros(2, 6), Zeros(4, 6), null, Zeros(6, 4)));
    }
}

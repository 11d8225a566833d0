using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Tensors.Ops;

public class AttentionTests : OpTest
{
    /// <summary>Everything one attention call reads and writes.</summary>
    private sealed record Pass(Tensor Output, Tensor LogSumExp, Tensor MaxLogit, Tensor DQkv);

    private Pass Run(Kernels kernels, Tensor qkv, Tensor starts, AttentionShape shape, Tensor dOutput)
    {
        int N = qkv.Rows;
        var pass = new Pass(
            Poisoned(N, shape.OutputColumns), Poisoned(N, shape.HeadCount), Poisoned(shape.HeadCount), Poisoned(N, shape.QkvColumns));
        kernels.AttentionForward(qkv, starts, shape, pass.Output, pass.LogSumExp, pass.MaxLogit);
        kernels.AttentionBackward(dOutput, qkv, pass.Output, pass.LogSumExp, starts, shape, pass.DQkv);
        return pass;
    }

    /// <summary>Starts of documents with the given lengths.</summary>
    private Tensor Documents(params ReadOnlySpan<int> lengths)
    {
        var starts = new List<int>();
        foreach (int length in lengths) starts.AddRange(Enumerable.Repeat(starts.Count, length));
        return Integers([.. starts]);
    }

    [Theory, MemberData(nameof(AllKernels))]
    public void Golden_two_documents_two_query_heads_on_one_kv_head(string name)
    {
        var shape = new AttentionShape(2, 1, 2);
        var qkv = Matrix(
            [1, 0, .5f, .5f, 1, 0, 1, 2],
            [0, 1, -1, 2, .5f, .5f, 3, 4],
            [1, 1, 0, 1, 0, 1, 5, 6],
            [.5f, -1, 2, 0, 1, -1, 7, 8]);
        var dOutput = Matrix([1, 0, 1, 0], [0, 1, 0, 1], [1, 1, 1, 1], [-1, .5f, -1, .5f]);
        var pass = Run(Create(name), qkv, Integers(0, 0, 2, 2), shape, dOutput);
        AssertClose([1, 2, 1, 2], pass.Output.Floats[..4], 1e-6);
        AssertClose([2.174958f, 3.174958f, 2.48563337f, 3.48563337f], pass.Output.Floats[4..8], 1e-6);
        AssertClose([5, 6, 5, 6], pass.Output.Floats[8..12], 1e-6);
        AssertClose([6.7083595f, 7.7083595f, 6.60885937f, 7.60885937f], pass.Output.Floats[12..], 1e-6);
        float[] logSumExp = [.70710678f, .88546817f, .70710678f, 1.2182738f];
        for (int i = 0; i < 4; i++) Assert.Equal(logSumExp[i], pass.LogSumExp.Floats[2 * i], 1e-6f);
        float[] d = pass.DQkv.Floats.ToArray();
        AssertClose([-.17136551f, .17136551f], d[8..10], 1e-6);
        AssertClose([-.08807489f, .17614978f], d[24..26], 1e-6);
        AssertClose(
            [.27017144f, -.8830739f, -.27017144f, .8830739f, .26652516f, -.08807489f, -.26652516f, .08807489f],
            [.. d[4..6], .. d[12..14], .. d[20..22], .. d[28..30]], 1e-6);
        AssertClose(
            [2, .66970431f, 0, 1.33029569f, 1.65860943f, 2.17069528f, -1.65860943f, .82930472f],
            [.. d[6..8], .. d[14..16], .. d[22..24], .. d[30..32]], 1e-6);
    }

    public static TheoryData<int, int, int, int[]> Shapes => new()
    {
        { 1, 1, 8, [1] },
        { 2, 1, 24, [1, 1, 1, 2] },
        { 6, 2, 32, [50, 1, 20, 100, 37, 48, 63, 1, 1, 65] },
        { 4, 4, 64, [64, 64, 128] },
        { 3, 1, 10, [5, 129, 33] },
        { 8, 1, 16, [70, 3] },
        { 2, 2, 2, [9, 200] },
    };

    [Theory, MemberData(nameof(Shapes))]
    public void Cpu_matches_reference_on_any_threads(int H, int KV, int HS, int[] lengths)
    {
        var shape = new AttentionShape(H, KV, HS);
        int N = lengths.Sum();
        var (qkv, dOutput, starts) = (Normal(1, N, shape.QkvColumns), Normal(2, N, shape.OutputColumns), Documents(lengths));
        var expected = Run(Create("reference"), qkv, starts, shape, dOutput);
        Pass? first = null;
        foreach (string name in (string[])["cpu1", "cpu2", "cpu3"])
        {
            var actual = Run(Create(name), qkv, starts, shape, dOutput);
            AssertClose(expected.Output, actual.Output, 2e-6);
            AssertClose(expected.LogSumExp, actual.LogSumExp, 2e-6);
            AssertClose(expected.MaxLogit, actual.MaxLogit, 1e-6);
            AssertClose(expected.DQkv, actual.DQkv, 1e-5);
            first ??= actual;
            AssertSameBits(first.Output, actual.Output);
            AssertSameBits(first.LogSumExp, actual.LogSumExp);
            AssertSameBits(first.MaxLogit, actual.MaxLogit);
            AssertSameBits(first.DQkv, actual.DQkv);
        }
    }

    [Fact]
    public void Cpu_matches_reference_on_one_long_document()
    {
        var shape = new AttentionShape(2, 1, 8);
        var (qkv, dOutput, starts) = (Normal(1, 1500, shape.QkvColumns), Normal(2, 1500, shape.OutputColumns), Documents(1500));
        var expected = Run(Create("reference"), qkv, starts, shape, dOutput);
        var actual = Run(Create("cpu2"), qkv, starts, shape, dOutput);
        AssertClose(expected.Output, actual.Output, 2e-6);
        AssertClose(expected.DQkv, actual.DQkv, 1e-5);
    }

    [Theory]
    [InlineData(2, 1, 8, 1, 7, 3)]
    [InlineData(1, 1, 2, 1)]
    [InlineData(3, 3, 6, 5, 1, 1)]
    [InlineData(1, 1, 2, 66)]
    public void Gradients_are_exact(int H, int KV, int HS, params int[] lengths) => AssertGradients(kernels =>
    {
        var (shape, N) = (new AttentionShape(H, KV, HS), lengths.Sum());
        var (qkv, dOutput, starts) = (Normal(3, N, shape.QkvColumns), Normal(4, N, shape.OutputColumns), Documents(lengths));
        var pass = Run(kernels, qkv, starts, shape, dOutput);
        return new(
            () => kernels.AttentionForward(qkv, starts, shape, pass.Output, pass.LogSumExp, pass.MaxLogit),
            pass.Output, dOutput, (qkv, pass.DQkv));
    });

    [Theory, MemberData(nameof(AllKernels))]
    public void A_document_never_feels_another(string name)
    {
        var shape = new AttentionShape(4, 2, 8);
        int[] lengths = [13, 70, 5, 100, 30];
        int N = lengths.Sum();
        var (qkv, dOutput, starts) = (Normal(5, N, shape.QkvColumns), Normal(6, N, shape.OutputColumns), Documents(lengths));
        var before = Run(Create(name), qkv, starts, shape, dOutput);
        // Document 3 changes, also to values that would poison every sum they enter.
        int from = 88, count = 100;
        Normal(7, count, shape.QkvColumns).Floats.CopyTo(qkv.Slice(from, count).Floats);
        qkv.Slice(from, 1).Floats.Fill(float.NaN);
        dOutput.Slice(from, count).Floats.Fill(float.PositiveInfinity);
        var after = Run(Create(name), qkv, starts, shape, dOutput);
        foreach (var (start, rows) in ((int, int)[])[(0, from), (from + count, N - from - count)])
        {
            AssertSameBits(before.Output.Slice(start, rows), after.Output.Slice(start, rows));
            AssertSameBits(before.LogSumExp.Slice(start, rows), after.LogSumExp.Slice(start, rows));
            AssertSameBits(before.DQkv.Slice(start, rows), after.DQkv.Slice(start, rows));
        }
    }

    [Theory, MemberData(nameof(AllKernels))]
    public void A_document_gives_the_same_bits_wherever_it_stands(string name)
    {
        var shape = new AttentionShape(6, 2, 8);
        var (qkv, dOutput) = (Normal(8, 90, shape.QkvColumns), Normal(9, 90, shape.OutputColumns));
        var alone = Run(Create(name), qkv, Documents(90), shape, dOutput);
        foreach (int shift in (int[])[1, 63, 100])
        {
            var (longer, dLonger) = (Normal(10, shift + 90, shape.QkvColumns), Normal(11, shift + 90, shape.OutputColumns));
            qkv.Floats.CopyTo(longer.Slice(shift, 90).Floats);
            dOutput.Floats.CopyTo(dLonger.Slice(shift, 90).Floats);
            var behind = Run(Create(name), longer, Documents(shift, 90), shape, dLonger);
            AssertSameBits(alone.Output, behind.Output.Slice(shift, 90));
            AssertSameBits(alone.DQkv, behind.DQkv.Slice(shift, 90));
        }
    }

    [Theory, MemberData(nameof(AllKernels))]
    public void Large_scores_do_not_overflow(string name)
    {
        var shape = new AttentionShape(1, 1, 8);
        var (qkv, dOutput) = (Normal(12, 100f, 70, shape.QkvColumns), Normal(13, 70, shape.OutputColumns));
        var pass = Run(Create(name), qkv, Documents(70), shape, dOutput);
        foreach (float value in pass.Output.Floats) Assert.True(float.IsFinite(value));
        foreach (float value in pass.DQkv.Floats) Assert.True(float.IsFinite(value));
    }

    [Fact]
    public void No_tokens_is_no_work()
    {
        var shape = new AttentionShape(2, 1, 8);
        var empty = Run(Create("cpu2"), Zeros(0, shape.QkvColumns), Integers(), shape, Zeros(0, shape.OutputColumns));
        Assert.All(empty.MaxLogit.Floats.ToArray(), max => Assert.Equal(float.NegativeInfinity, max));
    }

    [Fact]
    public void Allocates_nothing()
    {
        var shape = new AttentionShape(4, 2, 8);
        var (qkv, starts, dOutput) = (Normal(14, 90, shape.QkvColumns), Documents(50, 40), Normal(15, 90, shape.OutputColumns));
        var (kernels, pass) = (Create("cpu2"), Run(Create("cpu1"), qkv, starts, shape, dOutput));
        AssertAllocatesNothing(() =>
        {
            kernels.AttentionForward(qkv, starts, shape, pass.Output, pass.LogSumExp, pass.MaxLogit);
            kernels.AttentionBackward(dOutput, qkv, pass.Output, pass.LogSumExp, starts, shape, pass.DQkv);
        });
    }

    [Theory]
    [InlineData(new[] { 0, 2, 2 }, "starts[1] is 2")]
    [InlineData(new[] { 0, 1, 0 }, "starts[2] is 0")]
    [InlineData(new[] { -1, 0, 0 }, "starts[0] is -1")]
    public void Starts_that_look_ahead_or_back_are_named(int[] starts, string message)
    {
        var shape = new AttentionShape(1, 1, 8);
        var error = Assert.Throws<ArgumentException>(() => Run(Create("cpu1"), Zeros(3, 24), Integers(starts), shape, Zeros(3, 8)));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(3, 2, 8)]
    [InlineData(2, 0, 8)]
    [InlineData(0, 1, 8)]
    [InlineData(1, 2, 8)]
    [InlineData(2, 1, 7)]
    public void Impossible_heads_are_an_error(int H, int KV, int HS) => Assert.Throws<ArgumentException>(
        () => Run(Create("cpu1"), Zeros(1, (H + 2 * KV) * HS), Integers(0), new AttentionShape(H, KV, HS), Zeros(1, H * HS)));
}

using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Tensors.Ops;

public class AttentionDivergenceTests : OpTest
{
    /// <summary>What a model and its teacher attend by.</summary>
    private sealed record Pair(Tensor Qkv, AttentionShape Shape, Tensor Teacher, AttentionShape TeacherShape);

    /// <summary>Everything one call writes.</summary>
    private sealed record Pass(Tensor Losses, Tensor Saved, Tensor DQkv);

    private static readonly AttentionShape Narrow = new(2, 1, 8), Wide = new(6, 3, 10);

    private Pass Run(Kernels kernels, Pair pair, Tensor starts, Tensor weights)
    {
        int N = pair.Qkv.Rows;
        var pass = new Pass(
            Poisoned(N, 1), Poisoned(N, 2 * pair.Shape.HeadCount + pair.TeacherShape.HeadCount),
            Arena.Allocate("dQkv", pair.Qkv.Type, N, pair.Shape.QkvColumns));
        kernels.AttentionDivergenceForward(
            pair.Qkv, pair.Shape, pair.Teacher, pair.TeacherShape, starts, weights, pass.Losses, pass.Saved);
        kernels.AttentionDivergenceBackward(
            pair.Qkv, pair.Shape, pair.Teacher, pair.TeacherShape, starts, weights, pass.Saved, pass.DQkv);
        return pass;
    }

    private Pair Random(int seed, int N, AttentionShape shape, AttentionShape teacherShape, float deviation = 1) => new(
        Normal(seed, deviation, N, shape.QkvColumns), shape, Normal(seed + 1, deviation, N, teacherShape.QkvColumns), teacherShape);

    private Tensor Documents(params ReadOnlySpan<int> lengths)
    {
        var starts = new List<int>();
        foreach (int length in lengths) starts.AddRange(Enumerable.Repeat(starts.Count, length));
        return Integers([.. starts]);
    }

    private Tensor Ones(int N)
    {
        var ones = Zeros(N);
        ones.Floats.Fill(1);
        return ones;
    }

    [Theory, MemberData(nameof(AllKernels))]
    public void Known_values(string name)
    {
        // Token 1 of the model sees (1/2, 1/2), of the teacher (3/4, 1/4): KL = 3/4 ln 3/2 + 1/4 ln 1/2, slopes (-1/2, 1/2), dS (-1/4, 1/4).
        var shape = new AttentionShape(1, 1, 2) { Scale = 1 };
        var qkv = Matrix([1, 2, 1, 0, 0, 0], [0, 0, 0, 1, 0, 0]);
        var teacher = Matrix([1, 2, 1, 0, 0, 0], [MathF.Log(3), 0, 0, 1, 0, 0]);
        var pass = Run(Create(name), new(qkv, shape, teacher, shape), Documents(2), Matrix([1, 2]));
        AssertClose([0, .130812036f], pass.Losses.Floats, 1e-7);
        AssertClose([0, 0, 0, 0, 0, 0, -.5f, .5f, 0, 0, 0, 0], pass.DQkv.Floats, 1e-7);

        // Two heads of (3/4, 1/4) and (1/4, 3/4) are a mean of (1/2, 1/2), and nothing is to be learnt.
        var both = Matrix([1, 2, 0, 0, 1, 0, 0, 0], [MathF.Log(3), 0, 0, MathF.Log(3), 0, 1, 0, 0]);
        pass = Run(Create(name), new(qkv, shape, both, new(2, 1, 2) { Scale = 1 }), Documents(2), Matrix([1, 2]));
        AssertClose([0, 0], pass.Losses.Floats, 1e-7);
        AssertClose(Zeros(2, 6), pass.DQkv, 1e-7);
    }

    [Theory]
    [InlineData(2, 1, 8, 0, 1, 7, 3)]
    [InlineData(1, 1, 2, 0, 1)]
    [InlineData(3, 3, 6, 0, 5, 1, 1)]
    [InlineData(2, 1, 2, 0, 66)]
    [InlineData(2, 1, 4, 1.5f, 1, 9)]
    public void Gradients_are_exact(int H, int KV, int HS, float softcap, params int[] lengths) => AssertGradients(kernels =>
    {
        int N = lengths.Sum();
        var pair = Random(3, N, new AttentionShape(H, KV, HS) { Softcap = softcap }, new AttentionShape(4, 2, 6) { Softcap = softcap });
        var (starts, weights) = (Documents(lengths), Normal(5, 1, N));
        var pass = Run(kernels, pair, starts, weights);
        return new(
            () => kernels.AttentionDivergenceForward(
                pair.Qkv, pair.Shape, pair.Teacher, pair.TeacherShape, starts, weights, pass.Losses, pass.Saved),
            pass.Losses, weights, (pair.Qkv, pass.DQkv));
    });

    public static TheoryData<int, int, int, float, int[]> Shapes => new()
    {
        { 1, 1, 8, 0, [1] },
        { 2, 1, 24, 1.5f, [1, 1, 1, 2] },
        { 6, 2, 32, 0, [50, 1, 20, 100, 37, 48, 63, 1, 1, 65] },
        { 4, 4, 64, 1.5f, [64, 64, 128] },
        { 3, 1, 10, 0, [5, 129, 33] },
        { 8, 1, 16, 0, [300] },
    };

    [Theory, MemberData(nameof(Shapes))]
    public void Cpu_matches_reference_on_any_threads(int H, int KV, int HS, float softcap, int[] lengths)
    {
        int N = lengths.Sum();
        var pair = Random(1, N, new AttentionShape(H, KV, HS) { Softcap = softcap }, Wide);
        var (starts, weights) = (Documents(lengths), Normal(3, 1, N));
        if (N > 60) weights.Floats[3..60].Clear();
        var expected = Run(Create("reference"), pair, starts, weights);
        Pass? first = null;
        foreach (string name in (string[])["cpu1", "cpu2", "cpu3"])
        {
            var actual = Run(Create(name), pair, starts, weights);
            AssertClose(expected.Losses, actual.Losses, 2e-6);
            AssertClose(expected.DQkv, actual.DQkv, 1e-5);
            first ??= actual;
            AssertSameBits(first.Losses, actual.Losses);
            AssertSameBits(first.Saved, actual.Saved);
            AssertSameBits(first.DQkv, actual.DQkv);
        }
    }

    [Theory, MemberData(nameof(AllKernels))]
    public void Gradients_are_added_to_queries_and_keys_alone(string name)
    {
        var (pair, starts, weights) = (Random(1, 60, Narrow, Wide), Documents(52, 8), Ones(60));
        var (pass, before) = (Run(Create(name), pair, starts, weights), Normal(7, 60, Narrow.QkvColumns));
        var added = Copy(before);
        Create(name).AttentionDivergenceBackward(pair.Qkv, pair.Shape, pair.Teacher, pair.TeacherShape, starts, weights, pass.Saved, added);
        for (int i = 0; i < before.Length; i++)
        {
            Assert.Equal(before[i] + pass.DQkv[i], added[i], 1e-6);
            if (i % Narrow.QkvColumns >= Narrow.ValueOffset) Assert.Equal(before[i], added[i]);
        }
    }

    [Theory, MemberData(nameof(AllKernels))]
    public void A_model_that_is_its_teacher_has_nothing_to_learn(string name)
    {
        foreach (float softcap in (float[])[0, 2])
        {
            var shape = Wide with { Softcap = softcap };
            var qkv = Normal(1, 2f, 130, shape.QkvColumns);
            var pass = Run(Create(name), new(qkv, shape, qkv, shape), Documents(30, 100), Ones(130));
            Assert.All(pass.Losses.Floats.ToArray(), loss => Assert.Equal(0, loss));
            Assert.All(pass.DQkv.Floats.ToArray(), gradient => Assert.Equal(0, gradient));
        }
    }

    [Theory, MemberData(nameof(AllKernels))]
    public void Descent_leads_to_the_attention_of_the_teacher(string name)
    {
        var (kernels, pair, starts, weights) = (Create(name), Random(1, 24, Narrow, Wide), Documents(20, 4), Ones(24));
        double first = 0, last = 0;
        for (int step = 0; step < 200; step++)
        {
            var pass = Run(kernels, pair, starts, weights);
            last = pass.Losses.Floats.ToArray().Sum(loss => (double)loss);
            if (step == 0) first = last;
            for (int i = 0; i < pair.Qkv.Length; i++) pair.Qkv[i] -= pass.DQkv[i];
        }
        Assert.InRange(last, 0, .1 * first);
    }

    [Theory, MemberData(nameof(AllKernels))]
    public void A_document_never_feels_another(string name)
    {
        int[] lengths = [13, 70, 5, 100, 30];
        int N = lengths.Sum(), from = 88, count = 100;
        var (pair, starts, weights) = (Random(5, N, Narrow, Wide), Documents(lengths), Ones(N));
        var before = Run(Create(name), pair, starts, weights);
        pair.Qkv.Slice(from, count).Floats.Fill(float.NaN);
        pair.Teacher.Slice(from, count).Floats.Fill(float.PositiveInfinity);
        var after = Run(Create(name), pair, starts, weights);
        foreach (var (start, rows) in ((int, int)[])[(0, from), (from + count, N - from - count)])
        {
            AssertSameBits(before.Losses.Slice(start, rows), after.Losses.Slice(start, rows));
            AssertSameBits(before.DQkv.Slice(start, rows), after.DQkv.Slice(start, rows));
        }
    }

    [Theory, MemberData(nameof(AllKernels))]
    public void A_document_gives_the_same_bits_wherever_it_stands(string name)
    {
        var pair = Random(8, 110, Wide, Narrow);
        var alone = Run(Create(name), pair, Documents(110), Ones(110));
        foreach (int shift in (int[])[1, 63, 100])
        {
            var longer = Random(10, shift + 110, Wide, Narrow);
            pair.Qkv.Floats.CopyTo(longer.Qkv.Slice(shift, 110).Floats);
            pair.Teacher.Floats.CopyTo(longer.Teacher.Slice(shift, 110).Floats);
            var behind = Run(Create(name), longer, Documents(shift, 110), Ones(shift + 110));
            AssertSameBits(alone.Losses, behind.Losses.Slice(shift, 110));
            AssertSameBits(alone.DQkv, behind.DQkv.Slice(shift, 110));
        }
    }

    [Theory, MemberData(nameof(AllKernels))]
    public void Probabilities_that_vanish_do_not_overflow(string name)
    {
        var pass = Run(Create(name), Random(12, 70, Narrow, Wide, deviation: 100), Documents(70), Ones(70));
        Assert.All(pass.Losses.Floats.ToArray(), loss => Assert.InRange(loss, 0, 100));
        Assert.All(pass.DQkv.Floats.ToArray(), value => Assert.True(float.IsFinite(value)));
    }

    [Fact]
    public void Narrow_activations_are_widened_exactly_and_their_gradients_rounded_once()
    {
        Tensor As(DType type, Tensor tensor)
        {
            var typed = Arena.Allocate(tensor.Name, type, tensor.Shape);
            for (int i = 0; i < tensor.Length; i++) typed[i] = (float)(BFloat16)(float)tensor[i];
            return typed;
        }
        var pair = Random(1, 100, Narrow, Wide);
        Pass RunAs(DType type, DType teacher) => Run(
            Create("cpu2"), pair with { Qkv = As(type, pair.Qkv), Teacher = As(teacher, pair.Teacher) }, Documents(30, 70), Ones(100));
        var wide = RunAs(DType.F32, DType.F32);
        foreach (var teacher in (DType[])[DType.F32, DType.BF16])
        {
            var narrow = RunAs(DType.BF16, teacher);
            AssertSameBits(wide.Losses, narrow.Losses);
            AssertSameBits(As(DType.BF16, wide.DQkv), narrow.DQkv);
        }
    }

    [Fact]
    public void Rows_without_weight_have_no_loss()
    {
        var (pair, weights) = (Random(1, 130, Narrow, Wide), Zeros(130));
        weights[70] = 1;
        foreach (string name in (string[])["reference", "cpu1"])
        {
            float[] losses = Run(Create(name), pair, Documents(130), weights).Losses.Floats.ToArray();
            for (int i = 0; i < losses.Length; i++) Assert.Equal(i == 70, losses[i] != 0);
        }
    }

    /// <summary>Gradient of a projection to queries, keys and values that attention and this op read.</summary>
    private float[] ProjectionGradient(Recompute recompute, bool transfer = true, bool late = false)
    {
        var (table, projection, output) = (Normal(1, 7, 16), Normal(2, .3f, Narrow.QkvColumns, 16), Normal(3, 9, 16));
        projection.Gradient = Zeros(Narrow.QkvColumns, 16);
        var (ids, starts, kernels) = (Integers(0, 3, 1, 6, 5, 4, 2, 2, 1), Documents(2, 7), Create("cpu2"));
        var tape = new Tape(kernels, Arena, gradients: true, recompute);
        var stream = tape.Embedding(ids, table);
        tape.Segment();
        (_, var x) = tape.RmsNorm(stream, null, Ones(16), 1e-5f);
        var qkv = tape.Linear(x, projection);
        void Transfer() => tape.AttentionDivergence(qkv, Narrow, Normal(4, 9, Wide.QkvColumns), Wide, starts, Ones(9));
        if (transfer && !late) Transfer();
        var mixed = tape.Attention(qkv, starts, Narrow);
        if (late) Transfer();
        tape.Segment();
        tape.LinearCrossEntropy(mixed, output, Integers(1, 2, 3, 4, 5, 6, 0, 1, 2), Ones(9), weightsKnown: true);
        tape.Forward();
        tape.Backward();
        return projection.Gradient.Floats.ToArray();
    }

    [Fact]
    public void A_tape_adds_its_gradient_to_that_of_attention_with_the_same_bits_recomputed()
    {
        float[] kept = ProjectionGradient(Recompute.None);
        Assert.Equal(kept, ProjectionGradient(Recompute.Full));
        Assert.Equal(kept, ProjectionGradient(Recompute.Selective));
        float[] plain = ProjectionGradient(Recompute.None, transfer: false);
        int values = Narrow.ValueOffset * 16;
        Assert.Equal(plain[values..], kept[values..]);
        for (int row = 0; row < Narrow.ValueOffset; row++)
            Assert.NotEqual(plain[(row * 16)..((row + 1) * 16)], kept[(row * 16)..((row + 1) * 16)]);
        Assert.Throws<InvalidOperationException>(() => ProjectionGradient(Recompute.None, late: true));
    }

    [Fact]
    public void Allocates_nothing()
    {
        var (pair, starts, weights, kernels) = (Random(1, 90, Narrow, Wide), Documents(50, 40), Ones(90), Create("cpu2"));
        var pass = Run(kernels, pair, starts, weights);
        AssertAllocatesNothing(() =>
        {
            kernels.AttentionDivergenceForward(
                pair.Qkv, pair.Shape, pair.Teacher, pair.TeacherShape, starts, weights, pass.Losses, pass.Saved);
            kernels.AttentionDivergenceBackward(
                pair.Qkv, pair.Shape, pair.Teacher, pair.TeacherShape, starts, weights, pass.Saved, pass.DQkv);
        });
    }
}

using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Tensors;

/// <summary>Tapes of random structure: whatever shares memory or is computed again, results are the same bits.</summary>
public class TapePlanTests : OpTest
{
    private const int N = 14, V = 13, D = 12;

    private static readonly AttentionShape Shape = new(2, 1, 6);

    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 12)];

    /// <summary>A decoder whose layers are random: attention with and without rotation, SwiGLU of any width, chains of linear layers.</summary>
    private sealed class RandomModel
    {
        public required Tape Tape { get; init; }

        public required Tensor Losses { get; init; }

        public required IReadOnlyList<Tensor> Parameters { get; init; }

        public long UnsharedBytes()
        {
            Tape.Plan();
            return Tape.UnsharedBytes;
        }

        public float[] Replay(int poison = -1)
        {
            foreach (var parameter in Parameters) parameter.Gradient?.Floats.Clear();
            if (poison >= 0) Tape.Poison((byte)poison);
            Tape.Forward();
            if (Tape.HasGradients) Tape.Backward();
            return [.. Losses.Floats, .. Parameters.SelectMany(parameter => parameter.Gradient is { } gradient ? gradient.Floats.ToArray() : [])];
        }
    }

    private RandomModel Model(
        int seed, bool gradients, Recompute recompute = Recompute.None, bool shares = true, string kernels = "cpu2", DType activations = DType.F32)
    {
        var random = new Random(seed);
        var parameters = new List<Tensor>();
        Tensor Parameter(int rows, int columns)
        {
            var parameter = Normal(seed * 100 + parameters.Count, .5f, rows, columns);
            bool frozen = random.Next(5) == 0;
            if (gradients && !frozen) parameter.Gradient = Zeros(rows, columns);
            parameters.Add(parameter);
            return parameter;
        }
        var (ids, targets, starts, positions) = (Integers(new int[N]), Integers(new int[N]), Integers(new int[N]), Integers(new int[N]));
        for (int i = 0, start = 0; i < N; i++)
        {
            if (random.Next(4) == 0) start = i;
            (starts.Integers[i], positions.Integers[i]) = (start, i - start);
            (ids.Integers[i], targets.Integers[i]) = (random.Next(V), random.Next(-1, V));
        }
        var (cos, sin, weights) = (Normal(1, N, 3), Normal(2, N, 3), Normal(3, N));

        var tape = new Tape(Create(kernels), Arena, gradients, recompute, activations) { SharesMemory = shares };
        var stream = tape.Embedding(ids, Parameter(V, D));
        Tensor? branch = null;
        for (int layer = random.Next(1, 6); layer > 0; layer--)
        {
            if (random.Next(2) == 0) tape.Segment();
            (stream, var x) = tape.RmsNorm(stream, branch, Parameter(1, D), 1e-5f);
            switch (random.Next(3))
            {
                case 0:
                    x = tape.Linear(x, Parameter(Shape.QkvColumns, D));
                    if (random.Next(2) == 0) tape.Rope(x, positions, cos, sin, Shape);
                    x = tape.Attention(x, starts, Shape);
                    break;
                case 1:
                    x = tape.SwiGlu(tape.Linear(x, Parameter(2 * random.Next(1, 20), D)));
                    break;
                default:
                    for (int i = random.Next(3); i > 0; i--) x = tape.Linear(x, Parameter(random.Next(1, 30), x.Columns));
                    break;
            }
            (stream, branch) = random.Next(2) == 0
                ? (stream, tape.Linear(x, Parameter(D, x.Columns)))
                : (tape.AddLinear(stream, x, Parameter(D, x.Columns)), null);
        }
        if (random.Next(2) == 0) tape.Segment();
        var hidden = tape.RmsNorm(stream, branch, Parameter(1, D), 1e-5f).Output;
        var losses = tape.LinearCrossEntropy(hidden, Parameter(V, D), targets, weights, weightsKnown: random.Next(2) == 0);
        return new() { Tape = tape, Losses = losses, Parameters = parameters };
    }

    [Theory, MemberData(nameof(Seeds))]
    public void Sharing_memory_and_recomputing_change_no_bit(int seed)
    {
        var unshared = Model(seed, gradients: true, shares: false);
        float[] expected = unshared.Replay();
        Assert.All(expected, value => Assert.True(float.IsFinite(value)));
        foreach (var recompute in Enum.GetValues<Recompute>())
        {
            foreach (bool shares in new[] { true, false })
            {
                var model = Model(seed, gradients: true, recompute, shares);
                // 0xFF bytes are NaN as F32 and as BF16.
                Assert.Equal(expected, model.Replay(poison: 0xFF));
                Assert.Equal(expected, model.Replay());
                Assert.True(model.Tape.PlannedBytes <= unshared.Tape.PlannedBytes);
            }
        }
    }

    [Theory, MemberData(nameof(Seeds))]
    public void Narrow_activations_share_memory_and_are_recomputed_too(int seed)
    {
        RandomModel Narrow(string kernels, Recompute recompute, bool shares) =>
            Model(seed, gradients: true, recompute, shares, kernels, DType.BF16);
        foreach (string kernels in new[] { "reference", "cpu2" })
        {
            float[] expected = Narrow(kernels, Recompute.None, shares: false).Replay();
            Assert.All(expected, value => Assert.True(float.IsFinite(value)));
            foreach (var recompute in Enum.GetValues<Recompute>())
                Assert.Equal(expected, Narrow(kernels, recompute, shares: true).Replay(poison: 0xFF));
        }
        Assert.True(Narrow("cpu2", Recompute.None, shares: false).UnsharedBytes() < Model(seed, gradients: true, shares: false).UnsharedBytes());
    }

    [Theory, MemberData(nameof(Seeds))]
    public void Inference_is_the_same_bits_in_less_memory(int seed)
    {
        var unshared = Model(seed, gradients: false, shares: false);
        var model = Model(seed, gradients: false);
        float[] expected = unshared.Replay();
        Assert.Equal(expected, model.Replay(poison: 0xFF));
        Assert.Equal(expected, Model(seed, gradients: true).Replay()[..N]);
        Assert.True(model.Tape.PlannedBytes < unshared.Tape.PlannedBytes);
    }

    [Theory, MemberData(nameof(Seeds))]
    public unsafe void Tensors_in_use_together_never_overlap(int seed)
    {
        foreach (var recompute in Enum.GetValues<Recompute>())
        {
            var tape = Model(seed, gradients: true, recompute).Tape;
            tape.Plan();
            var tensors = tape.PlannedTensors();
            for (int i = 0; i < tensors.Count; i++)
            {
                var (a, mine) = tensors[i];
                for (int j = 0; j < i; j++)
                {
                    var (b, theirs) = tensors[j];
                    bool together = mine.Any(x => theirs.Any(y => x.Start <= y.End && y.Start <= x.End));
                    bool overlap = a.Data < b.Data + b.ByteLength && b.Data < a.Data + a.ByteLength;
                    Assert.False(together && overlap, $"{a} and {b}");
                }
            }
        }
    }

    [Fact]
    public void An_activation_has_no_memory_before_the_plan_and_none_can_be_recorded_after_it()
    {
        var tape = new Tape(Create("cpu1"), Arena, gradients: false);
        var y = tape.Linear(Normal(1, 2, 3), Normal(2, 4, 3));
        Assert.False(y.IsBound);
        Assert.Contains("Plan", Assert.Throws<InvalidOperationException>(() => y.Floats.Length).Message, StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(() => tape.PlannedBytes);
        tape.Plan();
        Assert.True(y.IsBound);
        Assert.Throws<InvalidOperationException>(() => tape.SwiGlu(y));
        Assert.Throws<InvalidOperationException>(() => tape.Keep(y));
    }

    [Fact]
    public void What_is_kept_can_be_read_after_a_replay()
    {
        Tensor Record(bool keep, out Tape tape)
        {
            tape = new(Create("cpu1"), Arena, gradients: false);
            var first = tape.Linear(Normal(1, 5, 6), Normal(2, 8, 6));
            var x = keep ? tape.Keep(first) : first;
            for (int i = 0; i < 4; i++) x = tape.Linear(x, Normal(3 + i, 8, 8));
            tape.Forward();
            return first;
        }
        var expected = Zeros(5, 8);
        Create("cpu1").LinearForward(Normal(1, 5, 6), Normal(2, 8, 6), expected);
        AssertSameBits(expected, Record(keep: true, out var kept));
        Assert.False(expected.Bytes.SequenceEqual(Record(keep: false, out var shared).Bytes));
        Assert.True(shared.PlannedBytes < kept.PlannedBytes);
    }

    [Fact]
    public void An_outline_is_measured_without_memory_and_cannot_run()
    {
        using var outline = Arena.Outline("outline");
        var tape = new Tape(null, outline, gradients: true);
        var (ids, table, norm) = (outline.Integers("ids", N), outline.Floats("table", V, D), outline.Floats("norm", D));
        tape.RmsNorm(tape.Embedding(ids, table), null, norm, 1e-5f);
        tape.Plan();
        Assert.True(tape.PlannedBytes >= 3 * N * D * sizeof(float));
        Assert.True(outline.Bytes > tape.PlannedBytes);
        Assert.Contains("outline", Assert.Throws<InvalidOperationException>(() => ids.Integers.Length).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => new Tape(null, Arena, gradients: true));
    }

    [Theory]
    [InlineData(0, "Embedding (forward)")]
    [InlineData(1, "RmsNorm (forward)")]
    [InlineData(2, "Linear (forward)")]
    public void The_first_value_that_is_not_finite_is_named(int parameter, string op)
    {
        foreach (float value in new[] { float.NaN, float.NegativeInfinity })
        {
            var model = Model(3, gradients: true);
            float[] expected = model.Replay();
            Assert.Null(model.Tape.CheckForward());
            Assert.Null(model.Tape.CheckBackward());
            var weight = model.Parameters[parameter];
            weight.Floats.Fill(value);
            string text = model.Tape.CheckForward()!.ToString();
            Assert.StartsWith(op + " wrote ", text, StringComparison.Ordinal);
            Assert.Contains($"its input {weight} is ", text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_gradient_that_is_not_finite_is_named()
    {
        var tape = new Tape(Create("cpu1"), Arena, gradients: true);
        var weight = Normal(2, 4, 6);
        weight.Gradient = Zeros(4, 6);
        var y = tape.Linear(Normal(1, 5, 6), weight);
        Assert.Null(tape.CheckForward());
        y.Gradient!.Floats.Clear();
        y.Gradient.Floats[2 * 4 + 3] = float.PositiveInfinity;
        var found = tape.CheckBackward()!;
        Assert.Equal(("Linear", "backward", 3), (found.Op, found.Pass, found.Element.Row));
        Assert.Contains($"its input {y.Gradient} is Infinity at row 2, column 3", found.ToString(), StringComparison.Ordinal);
    }
}

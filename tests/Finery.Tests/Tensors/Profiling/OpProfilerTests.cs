using System.Globalization;
using System.Text.Json;
using Finery.Tensors;
using Finery.Tensors.Profiling;
using Xunit;

namespace Finery.Tests.Tensors.Profiling;

public class OpProfilerTests : KernelFaces
{
    [Theory, MemberData(nameof(Faces))]
    public void Every_op_records_one_event_of_its_name(string face)
    {
        var kernels = Create("cpu1");
        var profiler = kernels.Profiler = new OpProfiler();
        var (method, arguments) = Call(face);
        method.Invoke(kernels, arguments);
        var cost = Assert.Single(profiler.Costs());
        Assert.Equal((face, 1L, false), (cost.Op, cost.Calls, cost.Outer));
        Assert.True(cost.Bytes > 0 && cost.Seconds >= 0, cost.ToString());
        // Some only move what is there.
        string[] moves = [nameof(Kernels.EmbeddingForward), nameof(Kernels.ConcatForward), nameof(Kernels.ConcatBackward), nameof(Kernels.ForkForward)];
        Assert.True(cost.Flops > 0 || moves.Contains(face), cost.ToString());

        kernels.Profiler = null;
        method.Invoke(kernels, Call(face).Arguments);
        Assert.Single(profiler.Costs());
    }

    private OpCost Cost(Action<Kernels> call)
    {
        var kernels = Create("reference");
        var profiler = kernels.Profiler = new OpProfiler();
        call(kernels);
        return Assert.Single(profiler.Costs());
    }

    [Theory]
    [InlineData(DType.F32, 4)]
    [InlineData(DType.BF16, 2)]
    public void Operations_and_bytes_follow_shapes_and_types(DType type, int size)
    {
        Tensor Of(int rows, int columns) => Arena.Allocate("t", type, rows, columns);
        var forward = Cost(kernels => kernels.LinearForward(Of(5, 8), Of(6, 8), Of(5, 6)));
        Assert.Equal((2.0 * 5 * 6 * 8, (double)size * (5 * 8 + 6 * 8 + 5 * 6)), (forward.Flops, forward.Bytes));

        // The gradient of a weight is wide always, and added to.
        var backward = Cost(kernels => kernels.LinearBackward(Of(5, 6), Of(5, 8), Of(6, 8), Of(5, 8), Zeros(6, 8)));
        Assert.Equal(
            (4.0 * 5 * 6 * 8, (double)size * (5 * 6 + 5 * 8 + 6 * 8 + 5 * 8) + 2 * 4 * 6 * 8), (backward.Flops, backward.Bytes));

        var shape = new AttentionShape(2, 1, 4);
        var rope = Cost(kernels => kernels.Rope(Of(5, 16), Integers(0, 1, 2, 3, 4), Zeros(5, 2), Zeros(5, 2), shape, inverse: false));
        Assert.Equal((3.0 * 5 * 3 * 4, 2.0 * size * 5 * 3 * 4), (rope.Flops, rope.Bytes));

        // Two documents of 2 and 3 tokens: 3 and 6 pairs.
        var attention = Cost(kernels => kernels.AttentionForward(
            Of(5, 16), Integers(0, 0, 2, 2, 2), shape, Of(5, 8), Zeros(5, 2), Zeros(2)));
        Assert.Equal((4.0 * 9 * 8, (double)size * (5 * 16 + 5 * 8) + 4 * 5 * 2), (attention.Flops, attention.Bytes));

        var embedding = Cost(kernels => kernels.EmbeddingForward(Integers(1, 0, 1), Of(9, 8), Zeros(3, 8)));
        Assert.Equal((size + 4.0) * 3 * 8, embedding.Bytes);
    }

    [Fact]
    public void Tokens_without_target_or_weight_cost_no_operations()
    {
        Tensor x = Normal(1, 5, 8), weight = Normal(2, 7, 8), targets = Integers(3, -1, -1, 0, -1);
        Assert.Equal(2.0 * 2 * 7 * 8, Cost(kernels => kernels.LinearCrossEntropyForward(x, weight, targets, Zeros(5))).Flops);
        Assert.Equal(6.0 * 2 * 7 * 8, Cost(kernels => kernels.LinearCrossEntropyForwardBackward(
            x, weight, targets, Zeros(5), Zeros(5), Zeros(5, 8), Zeros(7, 8))).Flops);
        var divergence = Cost(kernels => kernels.LinearDivergence(
            x, weight, Normal(3, 5, 4), Normal(4, 7, 4), Matrix([0, 1, 0, 0, 0]), new(Divergence.Reverse), Zeros(5), Zeros(5, 8), null));
        Assert.Equal(2.0 * (2 * 7 * 8 + 7 * 4), divergence.Flops);
    }

    private OpProfiler Nested()
    {
        var kernels = Create("cpu1");
        Tensor x = Normal(1, 5, 8), weight = Normal(2, 6, 8), y = Zeros(5, 6);
        kernels.LinearForward(x, weight, y);
        var profiler = kernels.Profiler = new OpProfiler();
        for (int step = 0; step < 2; step++)
        {
            using (kernels.Measure("step"))
            {
                using (kernels.Measure("forward")) kernels.LinearForward(x, weight, y);
                kernels.SumOfSquares(y);
            }
        }
        return profiler;
    }

    [Fact]
    public void Scopes_contain_the_operations_and_the_time_of_their_ops()
    {
        var costs = Nested().Costs().ToDictionary(cost => cost.Op);
        Assert.Equal(4, costs.Count);
        Assert.All(costs.Values, cost => Assert.Equal(2, cost.Calls));
        Assert.True(costs["step"].Outer && costs["forward"].Outer);
        Assert.Equal(2 * 480, costs["forward"].Flops);
        Assert.Equal(costs["LinearForward"].Bytes, costs["forward"].Bytes);
        Assert.Equal(2 * (480 + 60), costs["step"].Flops);
        Assert.True(costs["step"].Seconds >= costs["forward"].Seconds + costs["SumOfSquares"].Seconds);
        Assert.True(costs["forward"].Seconds >= costs["LinearForward"].Seconds);
    }

    [Fact]
    public void The_table_has_a_line_for_every_op_and_shares_that_add_up()
    {
        string[] lines = Nested().Table().TrimEnd().Split(Environment.NewLine);
        Assert.Equal(5, lines.Length);
        Assert.All(lines, line => Assert.Equal(lines[0].Length, line.Length));
        Assert.Equal(["step", "forward"], lines[1..3].Select(line => line.Split(' ')[0]));
        double[] shares = [.. lines[3..].Select(line => double.Parse(line[..line.IndexOf('%')].Trim().Split(' ')[^1], CultureInfo.InvariantCulture))];
        Assert.Equal(100, shares.Sum(), 0.2);
    }

    [Fact]
    public void The_trace_is_json_of_complete_events_that_nest()
    {
        using var stream = new MemoryStream();
        Nested().WriteTrace(stream);
        using var json = JsonDocument.Parse(stream.ToArray());
        var events = json.RootElement.GetProperty("traceEvents").EnumerateArray().ToList();
        Assert.Equal(8, events.Count);
        Assert.All(events, e => Assert.Equal("X", e.GetProperty("ph").GetString()));
        (double Start, double End) Interval(JsonElement e)
        {
            double start = e.GetProperty("ts").GetDouble();
            return (start, start + e.GetProperty("dur").GetDouble());
        }
        (double Start, double End)[] Named(string name) => [.. events.Where(e => e.GetProperty("name").GetString() == name).Select(Interval)];
        // A picosecond for rounding.
        bool Inside((double Start, double End) inner, (double Start, double End) outer) =>
            inner.Start >= outer.Start - 1e-6 && inner.End <= outer.End + 1e-6;
        var (steps, forwards, linears, squares) = (Named("step"), Named("forward"), Named("LinearForward"), Named("SumOfSquares"));
        Assert.True(steps[0].Start >= 0 && steps[0].End <= steps[1].Start + 1e-6);
        for (int i = 0; i < 2; i++)
        {
            Assert.True(Inside(forwards[i], steps[i]) && Inside(linears[i], forwards[i]) && Inside(squares[i], steps[i]));
            Assert.True(squares[i].Start >= forwards[i].End - 1e-6);
        }
        var op = events.First(e => e.GetProperty("name").GetString() == "LinearForward");
        Assert.Equal("op", op.GetProperty("cat").GetString());
        Assert.Equal("normal2", op.GetProperty("args").GetProperty("tensor").GetString());
    }

    [Fact]
    public void Without_a_profiler_nothing_is_allocated()
    {
        var kernels = Create("cpu1");
        Tensor x = Normal(1, 5, 8), weight = Normal(2, 6, 8), y = Zeros(5, 6);
        AssertAllocatesNothing(() =>
        {
            using (kernels.Measure("step")) kernels.LinearForward(x, weight, y);
        });
    }
}

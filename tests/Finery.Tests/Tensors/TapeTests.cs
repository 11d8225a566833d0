using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Tensors;

public class TapeTests : OpTest
{
    private const int N = 9, V = 11, D = 8, F = 10;
    private const float Epsilon = 1e-5f;

    private static readonly AttentionShape Shape = new(2, 1, 4);

    /// <summary>A transformer of two layers: embedding, attention and SwiGLU blocks, norm, head.</summary>
    private sealed record TinyModel(Tape Tape, Tensor Losses, Tensor TokenWeights, IReadOnlyList<Tensor> Parameters);

    private TinyModel Model(Kernels kernels, bool gradients = true, bool weightsKnown = true)
    {
        var parameters = new List<Tensor>();
        Tensor Parameter(int rows, int columns)
        {
            var parameter = Normal(parameters.Count + 1, .5f, rows, columns);
            if (gradients) parameter.Gradient = Zeros(rows, columns);
            parameters.Add(parameter);
            return parameter;
        }
        var tape = new Tape(kernels, Arena, gradients);
        var (ids, targets) = (Integers(3, 1, 4, 1, 5, 9, 2, 6, 5), Integers(1, 4, -1, 5, 9, 2, 6, 5, -1));
        var (starts, positions) = (Integers(0, 0, 0, 3, 3, 3, 3, 3, 3), Integers(0, 1, 2, 0, 1, 2, 3, 4, 5));
        var (cos, sin, tokenWeights) = (Zeros(6, 2), Zeros(6, 2), Zeros(N));
        for (int i = 0; i < 12; i++) (sin[i], cos[i]) = MathF.SinCos(i / 2 * (i % 2 == 0 ? 1 : .01f));
        for (int i = 0; i < N; i++) tokenWeights[i] = 1f / 7;

        var stream = tape.Embedding(ids, Parameter(V, D));
        Tensor? branch = null;
        for (int layer = 0; layer < 2; layer++)
        {
            (stream, var x) = tape.RmsNorm(stream, branch, Parameter(1, D), Epsilon);
            x = tape.Linear(x, Parameter(Shape.QkvColumns, D));
            tape.Rope(x, positions, cos, sin, Shape);
            stream = tape.AddLinear(stream, tape.Attention(x, starts, Shape), Parameter(D, Shape.OutputColumns));
            (stream, x) = tape.RmsNorm(stream, null, Parameter(1, D), Epsilon);
            branch = tape.Linear(tape.SwiGlu(tape.Linear(x, Parameter(2 * F, D))), Parameter(D, F));
        }
        var (_, last) = tape.RmsNorm(stream, branch, Parameter(1, D), Epsilon);
        var losses = tape.LinearCrossEntropy(last, Parameter(V, D), targets, tokenWeights, weightsKnown);
        return new(tape, losses, tokenWeights, parameters);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Gradients_of_a_whole_model_are_exact(bool weightsKnown) => AssertGradients(kernels =>
    {
        var model = Model(kernels, weightsKnown: weightsKnown);
        model.Tape.Forward();
        model.Tape.Backward();
        return new(
            model.Tape.Forward, model.Losses, model.TokenWeights,
            [.. model.Parameters.Select(parameter => (parameter, Copy(parameter.Gradient!)))]);
    });

    [Fact]
    public void Backends_and_the_late_head_agree()
    {
        var models = new List<TinyModel> { Model(Create("reference")), Model(Create("cpu2")), Model(Create("cpu1"), weightsKnown: false) };
        foreach (var model in models)
        {
            model.Tape.Forward();
            model.Tape.Backward();
            AssertClose(models[0].Losses, model.Losses, 1e-5);
            for (int i = 0; i < model.Parameters.Count; i++)
                AssertClose(models[0].Parameters[i].Gradient!, model.Parameters[i].Gradient!, 1e-5, $"parameter {i}");
        }
    }

    [Theory, MemberData(nameof(AllKernels))]
    public void Parameters_accumulate_over_replays_and_activations_do_not(string name)
    {
        var model = Model(Create(name));
        model.Tape.Forward();
        model.Tape.Backward();
        var once = model.Parameters.Select(parameter => Copy(parameter.Gradient!)).ToArray();
        model.Tape.Forward();
        model.Tape.Backward();
        for (int i = 0; i < once.Length; i++)
        {
            float[] doubled = [.. once[i].Floats.ToArray().Select(value => 2 * value)];
            AssertClose(doubled, model.Parameters[i].Gradient!.Floats, 1e-6, $"parameter {i}");
        }
    }

    [Theory, MemberData(nameof(AllKernels))]
    public void The_residual_gradient_is_the_sum_over_all_norms(string name)
    {
        // h1 = h0 + A h0n, h2 = h1 + B h1n, loss = sum(g h2n): by hand, with separate buffers, then on the tape.
        var kernels = Create(name);
        Tensor Weight(int seed, int rows) => Normal(seed, .7f, rows, D);
        var (table, ids) = (Weight(1, N), Integers([.. Enumerable.Range(0, N)]));
        var (a, b, w0, w1, w2, g) = (Weight(2, D), Weight(3, D), Weight(4, 1), Weight(5, 1), Weight(6, 1), Weight(7, N));
        table.Gradient = Zeros(N, D);
        var tape = new Tape(kernels, Arena, gradients: true);
        var h0 = tape.Embedding(ids, table);
        var (_, y0) = tape.RmsNorm(h0, null, w0, Epsilon);
        var (h1, y1) = tape.RmsNorm(h0, tape.Linear(y0, a), w1, Epsilon);
        var (h2, y2) = tape.RmsNorm(h1, tape.Linear(y1, b), w2, Epsilon);
        foreach (var tensor in new[] { h0, h1, h2, y0, y1 }) tape.Keep(tensor);
        tape.Forward();
        g.Floats.CopyTo(y2.Gradient!.Floats);
        tape.Backward();

        Tensor Norm(Tensor dy, Tensor h, Tensor weight)
        {
            var (scale, dh) = (Zeros(N), Zeros(N, D));
            kernels.RmsNormForward(h, null, weight, Epsilon, h, scale, Zeros(N, D));
            kernels.RmsNormBackward(dy, h, scale, weight, dh, null, accumulate: false);
            return dh;
        }
        Tensor Sum(Tensor left, Tensor right)
        {
            var sum = Copy(left);
            for (int i = 0; i < sum.Length; i++) sum.Floats[i] += right.Floats[i];
            return sum;
        }
        Tensor Branch(Tensor dy, Tensor x, Tensor weight)
        {
            var dx = Zeros(N, D);
            kernels.LinearBackward(dy, x, weight, dx, null);
            return dx;
        }
        var d2 = Norm(g, h2, w2);
        var d1 = Sum(d2, Norm(Branch(d2, y1, b), h1, w1));
        var d0 = Sum(d1, Norm(Branch(d1, y0, a), h0, w0));
        AssertClose(d0, table.Gradient, 1e-6);
    }

    [Fact]
    public void Replays_allocate_nothing()
    {
        var model = Model(Create("cpu2"));
        AssertAllocatesNothing(() =>
        {
            model.Tape.Forward();
            model.Tape.Backward();
        });
    }

    [Fact]
    public void A_second_consumer_is_an_error()
    {
        var tape = new Tape(Create("cpu1"), Arena, gradients: true);
        var (table, norm, weight) = (Normal(1, 3, 4), Normal(2, 1, 4), Normal(3, 4, 4));
        var stream = tape.Embedding(Integers(0, 2), table);
        var (_, y) = tape.RmsNorm(stream, null, norm, Epsilon);
        var branch = tape.Linear(y, weight);
        Assert.Contains("consumer", Assert.Throws<InvalidOperationException>(() => tape.Linear(y, weight)).Message, StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(() => tape.Linear(stream, weight));
        var (end, other) = tape.RmsNorm(stream, branch, norm, Epsilon);
        Assert.Throws<InvalidOperationException>(() => tape.SwiGlu(end));
        Assert.Throws<InvalidOperationException>(() => tape.RmsNorm(stream, tape.Linear(other, weight), norm, Epsilon));
    }

    [Fact]
    public void Without_gradients_there_is_no_backward_and_no_gradient_memory()
    {
        var model = Model(Create("cpu1"), gradients: false);
        model.Tape.Forward();
        Assert.False(model.Tape.HasGradients);
        Assert.Throws<InvalidOperationException>(model.Tape.Backward);
        Assert.All(model.Losses.Floats.ToArray(), loss => Assert.True(float.IsFinite(loss)));
    }

    [Fact]
    public void Cached_attention_has_no_backward()
    {
        var cache = new KeyValueCache(Arena, 1, 4, Shape);
        Assert.Throws<InvalidOperationException>(
            () => new Tape(Create("cpu1"), Arena, gradients: true).CachedAttention(Zeros(1, Shape.QkvColumns), cache, 0, Shape));
    }
}

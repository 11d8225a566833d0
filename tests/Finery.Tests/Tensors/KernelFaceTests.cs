using System.Globalization;
using System.Reflection;
using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Tensors;

/// <summary>Every op says which op failed, what it expected and what it got, before it touches memory.</summary>
public class KernelFaceTests : OpTest
{
    private const int N = 5, D = 8, F = 6, V = 7;

    private static readonly AttentionShape Shape = new(2, 1, 4);

    public static TheoryData<string> Faces =>
    [
        nameof(Kernels.EmbeddingForward), nameof(Kernels.EmbeddingBackward), nameof(Kernels.LinearForward), nameof(Kernels.LinearBackward),
        nameof(Kernels.RmsNormForward), nameof(Kernels.RmsNormBackward), nameof(Kernels.Rope), nameof(Kernels.AttentionForward),
        nameof(Kernels.AttentionBackward), nameof(Kernels.CachedAttention), nameof(Kernels.SwiGluForward), nameof(Kernels.SwiGluBackward),
        nameof(Kernels.LinearCrossEntropyForward), nameof(Kernels.LinearCrossEntropyForwardBackward), nameof(Kernels.AdamW),
    ];

    /// <summary>Arguments of an op that fit together, by the names of its parameters.</summary>
    private object? Argument(string face, string name) => (face, name) switch
    {
        (_, "ids" or "positions" or "starts" or "targets") => Integers(new int[N]),
        (_, "epsilon") => 1e-5f,
        (_, "inverse" or "accumulate") => false,
        (_, "shape") => Shape,
        (_, "length") => 0,
        (_, "settings") => new AdamWSettings(1e-3f, .9f, .95f, 1e-8f, .1f, 1, 1),
        (_, "scale" or "losses" or "tokenWeights") => Zeros(N),
        (_, "master" or "masters") => null,
        (_, "options") => default(CrossEntropyOptions),
        ("LinearCrossEntropyForward" or "LinearCrossEntropyForwardBackward", "logSumExp") => Zeros(N),
        (_, "logSumExp") => Zeros(N, Shape.HeadCount),
        (_, "maxLogit") => Zeros(Shape.HeadCount),
        (_, "qkv" or "dQkv") => Zeros(N, Shape.QkvColumns),
        (_, "cos" or "sin") => Zeros(N, Shape.HeadSize / 2),
        (_, "keys" or "values") => Zeros(9, Shape.KvHeadCount * Shape.HeadSize),
        ("SwiGluForward" or "SwiGluBackward", "y" or "dy") => Zeros(N, F),
        (_, "gateUp" or "dGateUp") => Zeros(N, 2 * F),
        ("LinearForward" or "LinearBackward", "y" or "dy") => Zeros(N, F),
        ("LinearForward" or "LinearBackward", "weight" or "dWeight") => Zeros(F, D),
        (_, "table" or "dTable") => Zeros(V, D),
        ("LinearCrossEntropyForward" or "LinearCrossEntropyForwardBackward", "weight" or "dWeight") => Zeros(V, D),
        ("RmsNormForward" or "RmsNormBackward", "weight" or "dWeight") => Zeros(1, D),
        _ => Zeros(N, D),
    };

    private (MethodInfo Method, object?[] Arguments) Call(string face)
    {
        var method = typeof(Kernels).GetMethods().Where(method => method.Name == face).MaxBy(method => method.GetParameters().Length)!;
        return (method, [.. method.GetParameters().Select(parameter => Argument(face, parameter.Name!))]);
    }

    [Theory, MemberData(nameof(Faces))]
    public void A_wrong_shape_or_type_names_op_expected_and_actual(string face)
    {
        var kernels = Create("cpu1");
        var (method, arguments) = Call(face);
        method.Invoke(kernels, arguments);
        for (int i = 0; i < arguments.Length; i++)
        {
            if (arguments[i] is not Tensor right) continue;
            var wrong = right.Type == DType.I32 ? Arena.Floats("wrong", N) : Arena.Floats("wrong", right.Rows + 1, right.Columns + 2);
            object?[] spoilt = [.. arguments];
            spoilt[i] = wrong;
            var error = Assert.Throws<TargetInvocationException>(() => method.Invoke(kernels, spoilt)).InnerException!;
            string what = $"{method.GetParameters()[i].Name}: {error}";
            Assert.True(error is ArgumentException, what);
            Assert.True(error.Message.StartsWith(face + ": ", StringComparison.Ordinal) && error.Message.Contains("expected", StringComparison.Ordinal), what);
            Assert.True(arguments.Append(wrong).OfType<Tensor>().Any(tensor => error.Message.Contains(tensor.ToString(), StringComparison.Ordinal)), what);
        }
    }

    [Theory]
    [InlineData(nameof(Kernels.EmbeddingForward), "ids", V, "[0, 7)")]
    [InlineData(nameof(Kernels.EmbeddingBackward), "ids", -1, "[0, 7)")]
    [InlineData(nameof(Kernels.Rope), "positions", N, "[0, 5)")]
    [InlineData(nameof(Kernels.AttentionForward), "starts", 4, "0..3")]
    [InlineData(nameof(Kernels.AttentionBackward), "starts", -1, "0..3")]
    [InlineData(nameof(Kernels.LinearCrossEntropyForward), "targets", V, "[-1, 7)")]
    [InlineData(nameof(Kernels.LinearCrossEntropyForwardBackward), "targets", -2, "[-1, 7)")]
    public void An_index_out_of_range_names_op_value_and_range(string face, string parameter, int value, string range)
    {
        var (method, arguments) = Call(face);
        int index = Array.FindIndex(method.GetParameters(), candidate => candidate.Name == parameter);
        ((Tensor)arguments[index]!).Integers[3] = value;
        var error = Assert.Throws<TargetInvocationException>(() => method.Invoke(Create("cpu1"), arguments)).InnerException!;
        Assert.True(error is ArgumentException, error.ToString());
        Assert.StartsWith(face + ": ", error.Message, StringComparison.Ordinal);
        Assert.Contains(value.ToString(), error.Message, StringComparison.Ordinal);
        Assert.Contains("expected " + range, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Memory_that_is_not_there_names_arena_tensor_and_sizes()
    {
        using var arena = new Arena("huge");
        arena.Floats("small", 16);
        // Half an exabyte: no machine maps it.
        var error = Assert.Throws<InsufficientMemoryException>(() => arena.Floats("weights", int.MaxValue, 1 << 20, 64));
        string size = ((long)int.MaxValue << 28).ToString("N0", CultureInfo.InvariantCulture);
        foreach (string part in new[] { "huge", "weights", size, "64 already in use" })
            Assert.Contains(part, error.Message, StringComparison.Ordinal);
    }
}

using System.Globalization;
using System.Reflection;
using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Tensors;

/// <summary>Every op says which op failed, what it expected and what it got, before it touches memory.</summary>
public class KernelFaceTests : KernelFaces
{
    /// <summary>One tensor of any shape is never wrong.</summary>
    public static TheoryData<string> FacesWithShapes =>
        [.. Names.Where(name => name is not (nameof(Kernels.SumOfSquares) or nameof(Kernels.Softcap)))];

    [Theory, MemberData(nameof(FacesWithShapes))]
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
    [InlineData(nameof(Kernels.AttentionDivergenceForward), "starts", 4, "0..3")]
    [InlineData(nameof(Kernels.AttentionDivergenceBackward), "starts", -1, "0..3")]
    [InlineData(nameof(Kernels.LinearCrossEntropyForward), "targets", V, "[-1, 7)")]
    [InlineData(nameof(Kernels.LinearCrossEntropyForwardBackward), "targets", -2, "[-1, 7)")]
    [InlineData(nameof(Kernels.LinearSparseTargets), "targets", V, "[-1, 7)")]
    [InlineData(nameof(Kernels.LinearSparseTargets), "softIds", V, "[-1, 7)")]
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

using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Tensors.Ops;

/// <summary>A NaN in any input comes out wherever the reference says that it must: no maximum, mask or fast path swallows
/// it.</summary>
public class NotANumberTests : OpTest
{
    private static readonly AttentionShape Shape = new(2, 1, 4);

    /// <summary>An op over float inputs of the given shapes; returns what it wrote.</summary>
    private sealed record Op(int[][] Inputs, Func<NotANumberTests, Kernels, Tensor[], Tensor[]> Run);

    private static readonly Dictionary<string, Op> Ops = new()
    {
        ["LinearForward"] = new([[5, 9], [21, 9]], (test, kernels, x) =>
        {
            var y = test.Zeros(5, 21);
            kernels.LinearForward(x[0], x[1], y);
            return [y];
        }),
        ["LinearBackward"] = new([[5, 21], [5, 9], [21, 9]], (test, kernels, x) =>
        {
            var (dx, dWeight) = (test.Zeros(5, 9), test.Zeros(21, 9));
            kernels.LinearBackward(x[0], x[1], x[2], dx, dWeight);
            return [dx, dWeight];
        }),
        ["RmsNormForward"] = new([[3, 19], [3, 19], [1, 19]], (test, kernels, x) =>
        {
            var (residual, scale, y) = (test.Zeros(3, 19), test.Zeros(3), test.Zeros(3, 19));
            kernels.RmsNormForward(x[0], x[1], x[2], 1e-5f, residual, scale, y);
            return [residual, scale, y];
        }),
        ["RmsNormBackward"] = new([[3, 19], [3, 19], [3, 1], [1, 19]], (test, kernels, x) =>
        {
            var (dResidual, dWeight) = (test.Zeros(3, 19), test.Zeros(1, 19));
            kernels.RmsNormBackward(x[0], x[1], x[2], x[3], dResidual, dWeight, accumulate: true);
            return [dResidual, dWeight];
        }),
        ["SwiGluForward"] = new([[3, 38]], (test, kernels, x) =>
        {
            var y = test.Zeros(3, 19);
            kernels.SwiGluForward(x[0], y);
            return [y];
        }),
        ["SwiGluBackward"] = new([[3, 19], [3, 38]], (test, kernels, x) =>
        {
            var dGateUp = test.Zeros(3, 38);
            kernels.SwiGluBackward(x[0], x[1], dGateUp);
            return [dGateUp];
        }),
        ["Rope"] = new([[3, 16], [4, 2], [4, 2]], (test, kernels, x) =>
        {
            kernels.Rope(x[0], test.Integers(3, 0, 2), x[1], x[2], Shape, inverse: false);
            return [x[0]];
        }),
        ["AttentionForward"] = new([[70, 16]], (test, kernels, x) =>
        {
            var (output, logSumExp, maxLogit) = (test.Zeros(70, 8), test.Zeros(70, 2), test.Zeros(2));
            kernels.AttentionForward(x[0], test.Integers(new int[70]), Shape, output, logSumExp, maxLogit);
            return [output, logSumExp, maxLogit];
        }),
        ["AttentionBackward"] = new([[70, 8], [70, 16], [70, 8], [70, 2]], (test, kernels, x) =>
        {
            var dQkv = test.Zeros(70, 16);
            kernels.AttentionBackward(x[0], x[1], x[2], x[3], test.Integers(new int[70]), Shape, dQkv);
            return [dQkv];
        }),
        ["AttentionDivergence"] = new([[70, 12], [70, 12]], (test, kernels, x) =>
        {
            // Values are not read.
            var (qkv, teacher, ones) = (test.Zeros(70, 16), test.Zeros(70, 16), test.Zeros(70));
            ones.Floats.Fill(1);
            for (int i = 0; i < x[0].Length; i++) (qkv[i / 12 * 16 + i % 12], teacher[i / 12 * 16 + i % 12]) = (x[0][i], x[1][i]);
            var (starts, losses, saved, dQkv) = (test.Integers(new int[70]), test.Zeros(70), test.Zeros(70, 6), test.Zeros(70, 16));
            kernels.AttentionDivergenceForward(qkv, Shape, teacher, Shape, starts, ones, losses, saved);
            kernels.AttentionDivergenceBackward(qkv, Shape, teacher, Shape, starts, ones, saved, dQkv);
            return [losses, saved, dQkv];
        }),
        ["CachedAttention"] = new([[2, 16], [18, 4], [18, 4]], (test, kernels, x) =>
        {
            var (keys, values, output) = (test.Zeros(20, 4), test.Zeros(20, 4), test.Zeros(2, 8));
            x[1].Floats.CopyTo(keys.Floats);
            x[2].Floats.CopyTo(values.Floats);
            kernels.CachedAttention(x[0], keys, values, 18, Shape, output);
            return [keys, values, output];
        }),
        ["EmbeddingForward"] = new([[3, 19]], (test, kernels, x) =>
        {
            var output = test.Zeros(4, 19);
            kernels.EmbeddingForward(test.Integers(2, 0, 1, 2), x[0], output);
            return [output];
        }),
        ["EmbeddingBackward"] = new([[4, 19], [3, 19]], (test, kernels, x) =>
        {
            kernels.EmbeddingBackward(test.Integers(2, 0, 1, 2), x[0], x[1]);
            return [x[1]];
        }),
        ["LinearCrossEntropy"] = CrossEntropy(default),
        ["LinearCrossEntropy with tanh"] = CrossEntropy(new(1e-4f, 5)),
        ["LinearCrossEntropy with root"] = CrossEntropy(new(1e-4f, 5, SoftcapCurve.InverseSquareRoot)),
        ["LinearDivergence forward"] = Distillation(Divergence.Forward),
        ["LinearDivergence reverse"] = Distillation(Divergence.Reverse),
        ["LinearDivergence symmetric"] = Distillation(Divergence.JensenShannon),
        ["LinearSparseTargets"] = Sparse(new(1)),
        ["LinearSparseTargets with a bucket"] = Sparse(new(1, Remainder: true)),
        ["LinearSparseTargets at a temperature"] = Sparse(new(2) { Head = new(1e-4f, 5) }),
        ["ForkForward"] = new([[3, 19]], (test, kernels, x) =>
        {
            var y = test.Zeros(3, 19);
            kernels.ForkForward(x[0], null, y);
            return [y];
        }),
        ["ForkBackward"] = new([[3, 19], [3, 19]], (test, kernels, x) =>
        {
            kernels.ForkBackward(x[0], test.Integers(1, 1, 1), x[1]);
            return [x[1]];
        }),
        ["RowDistance of squares"] = Distance(RowMeasure.Square),
        ["RowDistance of cosines"] = Distance(RowMeasure.Cosine),
        ["AdamW"] = new([[3, 19], [3, 19], [3, 19], [3, 19]], (_, kernels, x) =>
        {
            // Second moments are squares.
            for (int i = 0; i < x[3].Length; i++) x[3][i] *= x[3][i];
            kernels.AdamW(x[0], x[1], x[2], x[3], new AdamWSettings(.1f, .9f, .95f, 1e-8f, .1f, 3, 1));
            return [x[0], x[2], x[3]];
        }),
        ["Muon"] = new([[5, 19], [5, 19], [5, 19]], (_, kernels, x) =>
        {
            kernels.Muon(x[0], x[1], x[2], new MuonSettings(.1f, .95f, .1f));
            return [x[0], x[2]];
        }),
        ["Muon with normalisation and cautious decay"] = new([[5, 19], [5, 19], [5, 19], [1, 19]], (_, kernels, x) =>
        {
            kernels.Muon(x[0], null, x[1], x[2], x[3], new MuonSettings(.1f, .95f, .1f, Cautious: true));
            return [x[0], x[2], x[3]];
        }),
        ["Sgd"] = new([[3, 19], [3, 19], [3, 19]], (_, kernels, x) =>
        {
            kernels.Sgd(x[0], null, x[1], x[2], new SgdSettings(.1f, .9f, .1f, 1, Nesterov: true));
            return [x[0], x[2]];
        }),
        ["SumOfSquares"] = new([[3, 19]], (test, kernels, x) =>
        {
            var sum = test.Zeros(1);
            sum[0] = kernels.SumOfSquares(x[0]);
            return [sum];
        }),
    };

    private static Op CrossEntropy(CrossEntropyOptions options) => new([[4, 3], [37, 3], [1, 4]], (test, kernels, x) =>
    {
        var (losses, logSumExp, dx, dWeight) = (test.Zeros(4), test.Zeros(4), test.Zeros(4, 3), test.Zeros(37, 3));
        kernels.LinearCrossEntropyForwardBackward(
            x[0], x[1], test.Integers(0, 36, 5, 1), x[2], losses, dx, dWeight, options, logSumExp);
        return [losses, logSumExp, dx, dWeight];
    });

    private static Op Distillation(Divergence kind) => new([[4, 3], [37, 3], [4, 2], [37, 2], [1, 4]], (test, kernels, x) =>
    {
        var (losses, dx, dWeight) = (test.Zeros(4), test.Zeros(4, 3), test.Zeros(37, 3));
        kernels.LinearDivergence(x[0], x[1], x[2], x[3], x[4], new(kind, 2), losses, dx, dWeight);
        return [losses, dx, dWeight];
    });

    private static Op Sparse(SparseTargetOptions options) => new([[4, 3], [37, 3], [1, 4], [4, 2], [1, 4]], (test, kernels, x) =>
    {
        for (int i = 0; i < x[3].Length; i++) x[3][i] = .2 + .01 * x[3][i];
        var (losses, divergences, logs, dx, dWeight) = (test.Zeros(4), test.Zeros(4), test.Zeros(4, 2), test.Zeros(4, 3), test.Zeros(37, 3));
        var ids = test.Arena.Integers("ids", 4, 2);
        ((int[])[0, 36, 5, 1, 7, 8, 30, 2]).CopyTo(ids.Integers);
        kernels.LinearSparseTargets(
            x[0], x[1], test.Integers(0, 36, 5, 1), x[2], ids, x[3], x[4], options, losses, divergences, logs, dx, dWeight);
        return [losses, divergences, logs, dx, dWeight];
    });

    private static Op Distance(RowMeasure measure) => new([[3, 19], [3, 19], [1, 3]], (test, kernels, x) =>
    {
        var (losses, dy) = (test.Zeros(3), test.Zeros(3, 19));
        kernels.RowDistance(x[0], x[1], x[2], measure, losses, dy);
        return [losses, dy];
    });

    public static TheoryData<string> Names => [.. Ops.Keys];

    [Theory, MemberData(nameof(Names))]
    public void Comes_out_of_every_kernel(string name)
    {
        var op = Ops[name];
        for (int input = 0; input < op.Inputs.Length; input++)
        {
            int length = op.Inputs[input][0] * op.Inputs[input][1];
            foreach (int element in (int[])[0, length / 2, length - 1])
            {
                Tensor[] Run(string kernels)
                {
                    Tensor[] inputs = [.. op.Inputs.Select((shape, i) => Normal(i, .5f, shape))];
                    inputs[input][element] = double.NaN;
                    return op.Run(this, Create(kernels), inputs);
                }
                var expected = Run("reference");
                Assert.Contains(expected, tensor => tensor.Floats.ToArray().Any(float.IsNaN));
                foreach (string kernels in (string[])["cpu1", "cpu2"])
                {
                    var actual = Run(kernels);
                    for (int o = 0; o < expected.Length; o++)
                    {
                        for (int i = 0; i < expected[o].Length; i++)
                        {
                            Assert.True(
                                double.IsNaN(actual[o][i]) || !double.IsNaN(expected[o][i]),
                                $"{name} on {kernels}: NaN at {element} of input {input} is lost in output {o} at {i}");
                        }
                    }
                }
            }
        }
    }
}

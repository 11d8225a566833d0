using System.Runtime.CompilerServices;
using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Tensors;

/// <summary>What every op test needs: kernels to run on, tensors with seeded values, comparisons that say where they failed.</summary>
public abstract class OpTest : IDisposable
{
    private readonly List<Kernels> _kernels = [];

    /// <summary>Holds the tensors of one test; while <see cref="AssertGradients"/> runs, those in double precision.</summary>
    protected Arena Arena { get; private set; } = new("test");

    /// <summary>Names for <see cref="Create"/>: the reference, and the CPU on one to three threads.</summary>
    public static TheoryData<string> AllKernels => ["reference", "cpu1", "cpu2", "cpu3"];

    /// <summary>The kernels called <paramref name="name"/>, disposed with the test.</summary>
    protected Kernels Create(string name)
    {
        Kernels kernels = name == "reference" ? new ReferenceKernels() : new CpuKernels(name[^1] - '0');
        _kernels.Add(kernels);
        return kernels;
    }

    public void Dispose()
    {
        foreach (var kernels in _kernels) kernels.Dispose();
        Arena.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Standard normal values times <paramref name="deviation"/>, rounded to fp32; the same for the same seed on every
    /// machine.</summary>
    protected Tensor Normal(int seed, float deviation, params ReadOnlySpan<int> shape)
    {
        var tensor = Arena.Floats($"normal{seed}", shape);
        var random = new Random(seed);
        for (long i = 0; i < tensor.Length; i++)
        {
            double radius = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble()));
            tensor[i] = (float)(deviation * radius * Math.Cos(2 * Math.PI * random.NextDouble()));
        }
        return tensor;
    }

    /// <summary>Standard normal values.</summary>
    protected Tensor Normal(int seed, params ReadOnlySpan<int> shape) => Normal(seed, 1f, shape);

    /// <summary>Zeros.</summary>
    protected Tensor Zeros(params ReadOnlySpan<int> shape) => Arena.Floats("zeros", shape);

    /// <summary>Not-a-number everywhere: an op that claims to overwrite its output must leave none.</summary>
    protected Tensor Poisoned(params ReadOnlySpan<int> shape)
    {
        var tensor = Arena.Floats("poisoned", shape);
        for (long i = 0; i < tensor.Length; i++) tensor[i] = double.NaN;
        return tensor;
    }

    /// <summary>A float matrix with the given rows.</summary>
    protected Tensor Matrix(params float[][] rows)
    {
        var tensor = Arena.Floats("matrix", rows.Length, rows[0].Length);
        for (long i = 0; i < tensor.Length; i++) tensor[i] = rows[i / tensor.Columns][i % tensor.Columns];
        return tensor;
    }

    /// <summary>A vector of integers.</summary>
    protected Tensor Integers(params ReadOnlySpan<int> values)
    {
        var tensor = Arena.Integers("integers", values.Length);
        values.CopyTo(tensor.Integers);
        return tensor;
    }

    /// <summary>A copy with its own memory.</summary>
    protected Tensor Copy(Tensor source)
    {
        var tensor = Arena.Allocate(source.Name, source.Type, source.Shape);
        source.Bytes.CopyTo(tensor.Bytes);
        return tensor;
    }

    /// <summary>Fails where <c>|actual - expected| &gt; tolerance max(1, largest |expected|)</c>: error relative to the tensor's scale.</summary>
    protected static void AssertClose(
        ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, double tolerance = 1e-5,
        [CallerArgumentExpression(nameof(actual))] string what = "")
    {
        Assert.Equal(expected.Length, actual.Length);
        double scale = 1;
        foreach (float value in expected) scale = Math.Max(scale, Math.Abs(value));
        for (int i = 0; i < expected.Length; i++)
        {
            // Written so that a NaN fails too.
            if (!(Math.Abs((double)actual[i] - expected[i]) <= tolerance * scale))
                Assert.Fail($"{what}[{i}] is {actual[i]:R}, expected {expected[i]:R} within {tolerance} of scale {scale:G4}");
        }
    }

    /// <inheritdoc cref="AssertClose(ReadOnlySpan{float}, ReadOnlySpan{float}, double, string)"/>
    protected static void AssertClose(
        Tensor expected, Tensor actual, double tolerance = 1e-5, [CallerArgumentExpression(nameof(actual))] string what = "") =>
        AssertClose(expected.Floats, actual.Floats, tolerance, what);

    /// <summary>Fails unless both hold the same bits.</summary>
    protected static void AssertSameBits(
        Tensor expected, Tensor actual, [CallerArgumentExpression(nameof(actual))] string what = "")
    {
        int at = expected.Bytes.CommonPrefixLength(actual.Bytes);
        Assert.True(at == expected.ByteLength && at == actual.ByteLength, $"{what} differs at element {at / expected.Type.ByteSize()}");
    }

    /// <summary>Fails if a call, after one to warm up, allocates on the managed heap of this thread.</summary>
    protected static void AssertAllocatesNothing(Action call)
    {
        call();
        call();
        long before = GC.GetAllocatedBytesForCurrentThread();
        call();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    /// <summary>An output computed from inputs on fresh tensors, and the gradients of <c>sum(DOutput Output)</c> that the backward
    /// pass made of <paramref name="DOutput"/>.</summary>
    /// <param name="Forward">Recomputes <paramref name="Output"/> from the current values of the inputs.</param>
    /// <param name="Output">Result of <paramref name="Forward"/>.</param>
    /// <param name="DOutput">What the backward pass was given.</param>
    /// <param name="Inputs">Each with its gradient.</param>
    protected sealed record Differentiable(
        Action Forward, Tensor Output, Tensor DOutput, params (Tensor Input, Tensor Gradient)[] Inputs);

    /// <summary>In double precision the gradients of the reference agree with central differences to 1e-6 of their scale; in single
    /// precision those of every backend agree with them to 1e-4.</summary>
    /// <param name="run">Makes its tensors with the methods of this class, the same values each time, and runs the op both ways.</param>
    protected void AssertGradients(Func<Kernels, Differentiable> run)
    {
        var single = Arena;
        using var exactArena = new Arena("exact", DType.F64);
        Arena = exactArena;
        var exact = run(Create("reference"));
        for (int i = 0; i < exact.Inputs.Length; i++) AssertCentralDifferences(exact, i);
        Arena = single;
        foreach (string name in (string[])["reference", "cpu1", "cpu2", "cpu3"])
        {
            var actual = run(Create(name));
            for (int i = 0; i < exact.Inputs.Length; i++)
            {
                var (expected, gradient) = (exact.Inputs[i].Gradient, actual.Inputs[i].Gradient);
                double scale = LargestMagnitude(expected);
                for (long e = 0; e < expected.Length; e++)
                {
                    if (!(Math.Abs(gradient[e] - expected[e]) <= 1e-4 * scale))
                        Assert.Fail($"{name}: gradient {i}[{e}] is {gradient[e]:R}, exactly {expected[e]:R} (scale {scale:G4})");
                }
            }
        }
    }

    // Differences over five points: the error is of order step^4, and rounding 1e-16 / step.
    private static void AssertCentralDifferences(Differentiable exact, int index)
    {
        const double Step = 1.0 / 1024;
        var (input, gradient) = exact.Inputs[index];
        double scale = LargestMagnitude(gradient);
        long stride = Math.Max(1, input.Length / 61);
        for (long i = 0; i < input.Length; i += stride)
        {
            double original = input[i];
            double Loss(int steps)
            {
                input[i] = original + steps * Step;
                exact.Forward();
                double sum = 0;
                for (long o = 0; o < exact.Output.Length; o++) sum += exact.DOutput[o] * exact.Output[o];
                return sum;
            }
            double numeric = (8 * (Loss(1) - Loss(-1)) - (Loss(2) - Loss(-2))) / (12 * Step);
            input[i] = original;
            if (!(Math.Abs(gradient[i] - numeric) <= 1e-6 * scale))
                Assert.Fail($"gradient {index}[{i}] is {gradient[i]:R}, finite differences give {numeric:R} (scale {scale:G4})");
        }
        exact.Forward();
    }

    // Not below what rounding leaves where a gradient is zero.
    private static double LargestMagnitude(Tensor tensor)
    {
        double largest = 1e-6;
        for (long i = 0; i < tensor.Length; i++) largest = Math.Max(largest, Math.Abs(tensor[i]));
        return largest;
    }
}

using System.Runtime.CompilerServices;
using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Tensors;

/// <summary>What every op test needs: kernels to run on, tensors with seeded values, comparisons that say where they failed.</summary>
public abstract class OpTest : IDisposable
{
    private readonly List<Kernels> _kernels = [];

    /// <summary>Holds the tensors of one test.</summary>
    protected Arena Arena { get; } = new("test");

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

    /// <summary>Standard normal values times <paramref name="deviation"/>; the same for the same seed on every machine.</summary>
    protected Tensor Normal(int seed, float deviation, params ReadOnlySpan<int> shape)
    {
        var tensor = Arena.Floats($"normal{seed}", shape);
        var random = new Random(seed);
        foreach (ref float value in tensor.Floats)
        {
            double radius = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble()));
            value = (float)(deviation * radius * Math.Cos(2 * Math.PI * random.NextDouble()));
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
        tensor.Floats.Fill(float.NaN);
        return tensor;
    }

    /// <summary>A float matrix with the given rows.</summary>
    protected Tensor Matrix(params float[][] rows)
    {
        var tensor = Arena.Floats("matrix", rows.Length, rows[0].Length);
        for (int i = 0; i < rows.Length; i++) rows[i].CopyTo(tensor.Slice(i, 1).Floats);
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

    /// <summary>
    /// Compares <paramref name="gradient"/> with central differences of <c>sum(dOutput * output)</c>, five points wide, for a sample of
    /// elements of <paramref name="input"/>. Outputs are fp32, so steps are large and agreement is 1e-3 of the gradient's scale.
    /// </summary>
    /// <param name="forward">Recomputes <paramref name="output"/> from the current values of <paramref name="input"/>.</param>
    /// <param name="input">Perturbed, and restored.</param>
    /// <param name="output">Result of <paramref name="forward"/>.</param>
    /// <param name="dOutput">Weights of the sum; the gradient given to the backward pass.</param>
    /// <param name="gradient">What the backward pass made of it.</param>
    /// <param name="what">For the message.</param>
    protected static void AssertGradient(
        Action forward, Tensor input, Tensor output, Tensor dOutput, Tensor gradient,
        [CallerArgumentExpression(nameof(gradient))] string what = "")
    {
        const float Step = 1f / 32;
        double scale = 0;
        foreach (float value in gradient.Floats) scale = Math.Max(scale, Math.Abs(value));
        int stride = Math.Max(1, (int)(input.Length / 61));
        for (int i = 0; i < input.Length; i += stride)
        {
            float original = input.Floats[i];
            double Loss(int steps)
            {
                input.Floats[i] = original + steps * Step;
                forward();
                double sum = 0;
                for (int o = 0; o < output.Length; o++) sum += (double)dOutput.Floats[o] * output.Floats[o];
                return sum;
            }
            double numeric = (8 * (Loss(1) - Loss(-1)) - (Loss(2) - Loss(-2))) / (12 * Step);
            input.Floats[i] = original;
            if (!(Math.Abs(gradient.Floats[i] - numeric) <= 1e-3 * Math.Max(1e-2, scale)))
                Assert.Fail($"{what}[{i}] is {gradient.Floats[i]:R}, finite differences give {numeric:R} (scale {scale:G4})");
        }
        forward();
    }
}

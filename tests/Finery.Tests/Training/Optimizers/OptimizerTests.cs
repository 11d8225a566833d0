using Finery.Models;
using Finery.Tensors;
using Finery.Training.Optimizers;
using Xunit;

namespace Finery.Tests.Training.Optimizers;

public sealed class OptimizerTests : IDisposable
{
    private readonly Arena _arena = new("test");
    private readonly CpuKernels _kernels = new(1);

    public void Dispose()
    {
        _kernels.Dispose();
        _arena.Dispose();
    }

    private Parameter Scalar(bool decays, float value = 1)
    {
        var weight = _arena.Floats("p", 1);
        weight.Gradient = _arena.Floats("dp", 1);
        weight.Floats[0] = value;
        return new("p" + decays, weight, decays);
    }

    [Fact]
    public void Three_updates_are_the_published_ones()
    {
        var parameter = Scalar(decays: true);
        using var optimizer = new AdamW([parameter], new());
        float[] gradients = [0.5f, -0.25f, 0.1f];
        double[] expected = [0.890000002000, 0.854263057856, 0.813591920203];
        for (int i = 0; i < 3; i++)
        {
            parameter.Weight.Gradient!.Floats[0] = gradients[i];
            optimizer.Step(_kernels, 0.1, 1);
            Assert.Equal(expected[i], parameter.Weight.Floats[0], 1e-6);
            Assert.Equal(0, parameter.Weight.Gradient.Floats[0]);
        }
        Assert.Equal(3, optimizer.Updates);
    }

    [Fact]
    public void Norms_and_embeddings_do_not_decay()
    {
        Parameter decays = Scalar(true), stays = Scalar(false);
        using var optimizer = new AdamW([decays, stays], new());
        optimizer.Step(_kernels, 0.1, 1);
        Assert.Equal(0.99f, decays.Weight.Floats[0], 1e-6f);
        Assert.Equal(1f, stays.Weight.Floats[0]);
    }

    [Fact]
    public void Clipping_scales_by_the_published_factor()
    {
        Assert.Equal(0.1999999600, GradientClipping.Factor(5, 1), 1e-10);
        Assert.Equal(1, GradientClipping.Factor(0, 1));
        Assert.Equal(1, GradientClipping.Factor(7, double.PositiveInfinity));
        Parameter a = Scalar(true), b = Scalar(true);
        a.Weight.Gradient!.Floats[0] = 3;
        b.Weight.Gradient!.Floats[0] = 4;
        Assert.Equal(5, GradientClipping.Norm(_kernels, [a, b]), 1e-12);
        GradientClipping.Clear([a, b]);
        Assert.Equal(0, GradientClipping.Norm(_kernels, [a, b]));
    }

    [Fact]
    public void Impossible_settings_are_refused_together()
    {
        var frozen = new Parameter("frozen", _arena.Floats("frozen", 2), true);
        var error = Assert.Throws<ArgumentException>(() => new AdamW([frozen], new() { Beta1 = 1, Epsilon = 0 }));
        Assert.Contains("beta1", error.Message, StringComparison.Ordinal);
        Assert.Contains("epsilon", error.Message, StringComparison.Ordinal);
        Assert.Contains("frozen has no gradient", error.Message, StringComparison.Ordinal);
    }
}

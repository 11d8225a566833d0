using Finery.Models;
using Finery.Tensors;
using Finery.Training.Optimizers;
using Xunit;

namespace Finery.Tests.Training.Optimizers;

public sealed class GradientClipTests : IDisposable
{
    private readonly Arena _arena = new("test");
    private readonly CpuKernels _kernels = new(1);
    private readonly Parameter[] _parameters;
    private readonly GradientNorms _norms;

    public GradientClipTests()
    {
        _parameters = [Scalar("a"), Scalar("b")];
        _norms = new(_parameters);
    }

    public void Dispose()
    {
        _kernels.Dispose();
        _arena.Dispose();
    }

    private Parameter Scalar(string name)
    {
        var weight = _arena.Floats(name, 1);
        weight.Gradient = _arena.Floats("d" + name, 1);
        return new(name, weight, true);
    }

    private GradientNorms Norms(double a, double b = 0)
    {
        _parameters[0].Weight.Gradient!.Floats[0] = (float)a;
        _parameters[1].Weight.Gradient!.Floats[0] = (float)b;
        _norms.Measure(_kernels);
        return _norms;
    }

    [Fact]
    public void The_global_norm_is_kept_by_the_published_factor()
    {
        var clipper = new GlobalNormClip().Create(_parameters);
        var scales = clipper.Clip(Norms(3, 4));
        Assert.Equal([9, 16], _norms.Squares);
        Assert.Equal(5, _norms.Global);
        Assert.Equal(5, GradientClipping.Norm(_kernels, _parameters), 1e-12);
        Assert.Equal(.1999999600, scales.Of(0), 2e-8);
        Assert.Equal(scales.Of(0), scales.Of(1));
        Assert.Equal(.99999980, clipper.ClippedNorm, 1e-7);
        Assert.Equal(.1999999600, GradientClipping.Factor(5, 1), 1e-10);
        Assert.Equal(1, GradientClipping.Factor(0, 1));
        Assert.Equal(1, clipper.Clip(Norms(.3, .4)).All);
        Assert.Empty(clipper.State);
        Assert.Equal(1, new NoClip().Create(_parameters).Clip(Norms(3e10, 4)).All);
        GradientClipping.Clear(_parameters);
        Assert.Equal(0, GradientClipping.Norm(_kernels, _parameters));
    }

    [Fact]
    public void ZClip_is_that_of_the_reference()
    {
        GradientClipper From(double mean, double variance)
        {
            var clipper = new ZClip().Create(_parameters);
            clipper.Restore(new Dictionary<string, double> { ["zclip.seen"] = 25, ["zclip.mean"] = mean, ["zclip.variance"] = variance });
            return clipper;
        }
        var spike = From(.5, .01);
        Assert.Equal(.562500625 / 1.500001, spike.Clip(Norms(1.5)).All, 1e-7);
        Assert.Equal(.501875019, spike.State["zclip.mean"], 1e-9);
        Assert.Equal(.5625, spike.ClippedNorm, 1e-5);
        var calm = From(.5, .01);
        Assert.Equal(1, calm.Clip(Norms(.7)).All);
        Assert.Equal(.506, calm.State["zclip.mean"], 1e-8);
        Assert.Equal(.01082908, calm.State["zclip.variance"], 1e-8);
        // The bound on the norm holds besides.
        Assert.Equal(1 / 1.300001, From(1.2, .01).Clip(Norms(1.3)).All, 1e-6);
    }

    [Fact]
    public void ZClip_begins_with_the_first_norms_and_continues_from_a_state_to_the_bit()
    {
        double Norm(int step) => .5 + .1 * Math.Sin(step * 7) + (step % 40 == 39 ? 9 : 0);
        var whole = new ZClip().Create(_parameters);
        Assert.Equal(.1f, whole.Clip(Norms(9.99999)).All, 1e-5f);
        for (int step = 1; step < 25; step++) whole.Clip(Norms(Norm(step)));
        Assert.Equal(25, whole.State["zclip.seen"]);
        Assert.Equal(3, whole.State.Count);
        Assert.InRange(whole.State["zclip.mean"], .8, 1);

        foreach (int at in (int[])[0, 10, 24, 25, 60])
        {
            var (one, two) = (new ZClip().Create(_parameters), new ZClip().Create(_parameters));
            for (int step = 0; step < at; step++) one.Clip(Norms(Norm(step)));
            two.Restore(one.State);
            for (int step = at; step < 90; step++)
            {
                var norms = Norms(Norm(step));
                Assert.Equal(one.Clip(norms).All, two.Clip(norms).All);
            }
            Assert.Equal(one.State, two.State);
        }
    }

    [Fact]
    public void Each_tensor_is_kept_near_its_own_running_norm()
    {
        var (whole, resumed) = (new AdaptiveClip().Create(_parameters), new AdaptiveClip().Create(_parameters));
        var scales = whole.Clip(Norms(1, 10));
        Assert.Equal((1, 1), (scales.Of(0), scales.Of(1)));
        scales = whole.Clip(Norms(4, 10));
        Assert.Equal(.5, scales.Of(0), 1e-6);
        Assert.Equal(1, scales.Of(1));
        Assert.Equal(Math.Sqrt(104), whole.ClippedNorm, 1e-5);
        Assert.Equal(.97 + .03 * 2, whole.State["clip.norm.a"], 1e-12);
        resumed.Restore(whole.State);
        for (int step = 0; step < 5; step++)
        {
            var norms = Norms(1 + step * step, 10);
            float first = whole.Clip(norms).Of(0);
            Assert.Equal(first, resumed.Clip(norms).Of(0));
        }
        Assert.Equal(whole.State, resumed.State);
        // A tensor without gradient so far is not held to zero.
        var late = new AdaptiveClip().Create(_parameters);
        late.Clip(Norms(0, 1));
        Assert.Equal(1, late.Clip(Norms(5, 1)).Of(0));
    }

    [Fact]
    public void A_norm_that_is_not_finite_changes_nothing_and_impossible_settings_are_listed()
    {
        foreach (GradientClip clip in (GradientClip[])[new ZClip(), new AdaptiveClip(), new GlobalNormClip(), new NoClip()])
        {
            var clipper = clip.Create(_parameters);
            var before = clipper.State;
            Assert.Throws<ArithmeticException>(() => clipper.Clip(Norms(double.NaN)));
            Assert.Throws<ArithmeticException>(() => clipper.Clip(Norms(double.PositiveInfinity)));
            Assert.Equal(before, clipper.State);
            Assert.StartsWith(clip.GetType().Name, clip.Description, StringComparison.Ordinal);
        }
        Assert.Equal(4, new ZClip { ZThreshold = 0, Decay = 1, Warmup = 0, Norm = double.NaN }.Validate().Count());
        Assert.Equal(2, new AdaptiveClip { Multiple = 1, Decay = -1 }.Validate().Count());
        Assert.Contains("norm is 0", Assert.Throws<ArgumentException>(
            () => new GlobalNormClip { Norm = 0 }.Create(_parameters)).Message, StringComparison.Ordinal);
    }
}

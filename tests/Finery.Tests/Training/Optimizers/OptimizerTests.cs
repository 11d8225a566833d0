using Finery.Models;
using Finery.Tensors;
using Finery.Training;
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

    [Theory]
    [InlineData(MasterWeights.Split, "adamw.low.p", DType.U16)]
    [InlineData(MasterWeights.F32, "adamw.master.p", DType.F32)]
    [InlineData(MasterWeights.None, null, DType.F32)]
    public void Narrow_weights_continue_from_a_checkpoint_to_the_bit(MasterWeights masters, string? state, DType type)
    {
        using var folder = new TemporaryFolder();
        var checkpoints = new CheckpointFolder(folder.Path);
        var settings = new AdamWOptimizerSettings { Masters = masters };
        Parameter whole = Narrow(), resumed = Narrow();
        using var optimizer = new AdamW([whole], settings, seed: 3);
        Assert.Equal(state is null ? 2 : 3, optimizer.State.Count);
        if (state is not null) Assert.Equal((state, type), (optimizer.State[2].Name, optimizer.State[2].Tensor.Type));
        Assert.Contains($"Masters={masters}", optimizer.Description, StringComparison.Ordinal);
        Run(optimizer, whole, 0, 4);
        var identity = new Dictionary<string, string> { ["optimizer"] = optimizer.Description };
        checkpoints.Save(new(4, identity, new Dictionary<string, double>()), [new("p", whole.Weight), .. optimizer.State]);
        Run(optimizer, whole, 4, 9);

        using var other = new AdamW([resumed], settings, seed: 3);
        checkpoints.Restore(identity, [new("p", resumed.Weight), .. other.State]);
        other.Updates = 4;
        Run(other, resumed, 4, 9);
        Assert.Equal(whole.Weight.Bytes, resumed.Weight.Bytes);
        for (int i = 0; i < other.State.Count; i++) Assert.Equal(optimizer.State[i].Tensor.Bytes, other.State[i].Tensor.Bytes);

        void Run(AdamW updates, Parameter parameter, int from, int to)
        {
            for (int step = from; step < to; step++)
            {
                for (int i = 0; i < parameter.Weight.Length; i++) parameter.Weight.Gradient!.Floats[i] = MathF.Sin(step * 31 + i);
                updates.Step(_kernels, 1e-3, 1);
            }
        }
    }

    [Fact]
    public void Stochastic_rounding_depends_on_the_seed()
    {
        Parameter[] parameters = [Narrow(), Narrow(), Narrow()];
        for (int i = 0; i < 3; i++)
        {
            using var optimizer = new AdamW([parameters[i]], new() { Masters = MasterWeights.None }, seed: i == 2 ? 1u : 0);
            parameters[i].Weight.Gradient!.Floats.Fill(1);
            optimizer.Step(_kernels, 1e-3, 1);
        }
        Assert.Equal(parameters[0].Weight.Bytes, parameters[1].Weight.Bytes);
        Assert.False(parameters[0].Weight.Bytes.SequenceEqual(parameters[2].Weight.Bytes));
    }

    private Parameter Narrow()
    {
        var weight = _arena.Allocate("p", DType.BF16, 3, 100);
        weight.Gradient = _arena.Floats("dp", 3, 100);
        for (int i = 0; i < weight.Length; i++) weight.BFloat16s[i] = (BFloat16)MathF.Cos(i);
        return new("p", weight, true);
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

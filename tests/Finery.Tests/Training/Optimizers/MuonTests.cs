using Finery.Data.Batches;
using Finery.Models.Llama;
using Finery.Tensors;
using Finery.Training;
using Finery.Training.Losses;
using Finery.Training.Optimizers;
using Finery.Training.Schedules;
using Xunit;

namespace Finery.Tests.Training.Optimizers;

public class MuonTests
{
    private static readonly string[] Projections = ["qkv_proj", "o_proj", "gate_up_proj", "down_proj"];

    private static void FillGradients(LlamaModel model)
    {
        var random = new Random(3);
        foreach (var parameter in model.Parameters)
        {
            foreach (ref float value in parameter.Weight.Gradient!.Floats) value = random.NextSingle() - .5f;
        }
    }

    [Fact]
    public void Projections_are_updated_as_the_matrices_that_they_are_made_of_and_the_rest_by_AdamW()
    {
        using var kernels = new CpuKernels(2);
        using LlamaModel model = new(TinyModel.Config, seed: 5, trainable: true), other = new(TinyModel.Config, seed: 5, trainable: true);
        FillGradients(model);
        FillGradients(other);
        using var muon = new Muon(model.Parameters, new());
        using var adamW = new AdamW(other.Parameters, new());
        using var arena = new Arena("test");
        var expected = new Dictionary<string, byte[]>();
        foreach (var parameter in other.Parameters.Where(parameter => parameter.Matrices.Count > 0))
        {
            Assert.Contains(Projections, name => parameter.Name.Contains(name, StringComparison.Ordinal));
            Assert.Equal(parameter.Weight.Rows, parameter.Matrices.Sum());
            var copy = arena.Floats(parameter.Name, parameter.Weight.Rows, parameter.Weight.Columns);
            copy.Gradient = arena.Floats(parameter.Name, parameter.Weight.Rows, parameter.Weight.Columns);
            parameter.Weight.Bytes.CopyTo(copy.Bytes);
            parameter.Weight.Gradient!.Bytes.CopyTo(copy.Gradient.Bytes);
            int row = 0;
            foreach (int rows in parameter.Matrices)
            {
                var momentum = arena.Floats("momentum", rows, copy.Columns);
                var part = copy.Slice(row, rows);
                kernels.Muon(part, part.Gradient!, momentum, new MuonSettings(.01f, .95f, .1f, .5f));
                row += rows;
            }
            expected[parameter.Name] = copy.Bytes.ToArray();
        }
        adamW.Step(kernels, .01, .5f);
        muon.Step(kernels, .01, .5f);
        Assert.Equal(8, expected.Count);
        Assert.Equal((1, 1), (muon.Updates, adamW.Updates));
        for (int i = 0; i < model.Parameters.Count; i++)
        {
            var (parameter, rest) = (model.Parameters[i], other.Parameters[i].Weight.Bytes.ToArray());
            Assert.Equal(expected.GetValueOrDefault(parameter.Name, rest), parameter.Weight.Bytes.ToArray());
            Assert.All(parameter.Weight.Gradient!.Floats.ToArray(), value => Assert.Equal(0, value));
        }
    }

    [Fact]
    public void A_restored_state_continues_with_the_same_bits()
    {
        using var kernels = new CpuKernels(1);
        using LlamaModel model = new(TinyModel.Config, seed: 5, trainable: true), other = new(TinyModel.Config, seed: 5, trainable: true);
        using Muon whole = new(model.Parameters, new()), resumed = new(other.Parameters, new());
        FillGradients(model);
        whole.Step(kernels, .01, 1);
        for (int i = 0; i < whole.State.Count; i++)
        {
            Assert.Equal(whole.State[i].Name, resumed.State[i].Name);
            whole.State[i].Tensor.Bytes.CopyTo(resumed.State[i].Tensor.Bytes);
        }
        for (int i = 0; i < model.Parameters.Count; i++) model.Parameters[i].Weight.Bytes.CopyTo(other.Parameters[i].Weight.Bytes);
        resumed.Updates = whole.Updates;
        FillGradients(model);
        FillGradients(other);
        whole.Step(kernels, .01, 1);
        resumed.Step(kernels, .01, 1);
        Assert.Equal(2, resumed.Updates);
        for (int i = 0; i < model.Parameters.Count; i++)
            Assert.Equal(model.Parameters[i].Weight.Bytes.ToArray(), other.Parameters[i].Weight.Bytes.ToArray());
    }

    [Fact]
    public void A_tiny_model_learns_a_few_sequences_by_heart()
    {
        using var kernels = new CpuKernels(1);
        using var model = new LlamaModel(TinyModel.Config, seed: 5, trainable: true);
        using var optimizer = new Muon(model.Parameters, new());
        using var loop = new TrainingLoop(
            kernels, model, new PackedExamples(TinyModel.Examples(3), 16, 3, seed: 1), new NextTokenLoss(), optimizer,
            new WarmupStableDecay { Peak = 1e-2, WarmupSteps = 2, DecaySteps = 4 }, new() { Steps = 150 });
        double last = 0;
        loop.OnStep = (in StepMetrics metrics, ReadOnlySpan<double> _) => last = metrics.Loss;
        loop.Run();
        Assert.True(last < .1, $"final loss {last}");
    }

    [Fact]
    public void Impossible_settings_are_listed()
    {
        using var model = new LlamaModel(TinyModel.Config, seed: 5, trainable: true);
        var error = Assert.Throws<ArgumentException>(
            () => new Muon(model.Parameters, new() { Momentum = 1, WeightDecay = -1, Rest = new() { RateScale = 0, Epsilon = 0 } }));
        foreach (string part in (string[])["momentum", "weight_decay", "rest: rate_scale", "rest: epsilon"])
            Assert.Contains(part, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Momentum_warms_up_linearly()
    {
        var settings = new MuonOptimizerSettings { MomentumWarmup = 300, WeightDecay = 0, Nesterov = false };
        using var kernels = new CpuKernels(1);
        using var arena = new Arena("test");
        var weight = arena.Floats("w", 2, 3);
        weight.Gradient = arena.Floats("dw", 2, 3);
        using var muon = new Muon([new("w", weight, true) { Matrices = [2] }], settings);
        foreach (var (updates, momentum) in (ReadOnlySpan<(long, float)>)[(0, .85f), (150, .9f), (300, .95f), (5000, .95f)])
        {
            // B = mu B + (1 - mu) g.
            muon.Updates = updates;
            var state = muon.State[0].Tensor.Floats;
            state.Fill(2);
            weight.Gradient.Floats.Fill(1);
            muon.Step(kernels, .01, 1);
            foreach (float value in state) Assert.Equal(1 + momentum, value, 1e-6);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Narrow_weights_with_split_masters_are_fp32_to_the_bit(bool normalize)
    {
        using var kernels = new CpuKernels(2);
        var settings = new MuonOptimizerSettings { Normalize = normalize, CautiousDecay = normalize };
        using LlamaModel model = new(TinyModel.Config, seed: 5, trainable: true, DType.BF16), wide = new(TinyModel.Config, seed: 5, trainable: true);
        for (int i = 0; i < model.Parameters.Count; i++)
        {
            var (weight, exact) = (model.Parameters[i].Weight, wide.Parameters[i].Weight);
            for (int j = 0; j < weight.Length && weight.Type == DType.BF16; j++) exact.Floats[j] = (float)weight.BFloat16s[j];
        }
        using Optimizer narrow = settings.Create(model.Parameters), full = settings.Create(wide.Parameters);
        for (int step = 0; step < 3; step++)
        {
            FillGradients(model);
            FillGradients(wide);
            narrow.Step(kernels, .01, .5f);
            full.Step(kernels, .01, .5f);
        }
        for (int i = 0; i < model.Parameters.Count; i++)
        {
            var (weight, exact, low) = (model.Parameters[i].Weight, wide.Parameters[i].Weight, narrow.MasterOf(i));
            for (int j = 0; j < weight.Length; j++)
            {
                float value = low is null ? weight.Floats[j] : BitConverter.UInt32BitsToSingle(((uint)weight.BFloat16s[j].Bits << 16) | low.UInt16s[j]);
                Assert.Equal(exact.Floats[j], value);
            }
        }
        Assert.Equal(narrow.State.Sum(state => state.Tensor.ByteLength), settings.StateBytes(model.Parameters));
        Assert.Equal(full.State.Sum(state => state.Tensor.ByteLength), settings.StateBytes(wide.Parameters));
    }
}

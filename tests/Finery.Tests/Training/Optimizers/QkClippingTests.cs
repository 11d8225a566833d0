using Finery.Data.Batches;
using Finery.Models;
using Finery.Models.Llama;
using Finery.Tensors;
using Finery.Training;
using Finery.Training.Losses;
using Finery.Training.Optimizers;
using Finery.Training.Schedules;
using Xunit;

namespace Finery.Tests.Training.Optimizers;

public class QkClippingTests
{
    private static readonly ModelConfig Config = TinyModel.Config with { HeadCount = 4, KvHeadCount = 2, HeadSize = 8 };

    /// <summary>A model whose logits are large, its batch in two micro-batches, and QK-clip.</summary>
    private sealed class Fixture : IDisposable
    {
        private readonly PackedBatch _batch;
        private readonly TrainingPass _pass;

        public Fixture(OptimizerSettings settings, DType type, float factor = 6)
        {
            Model = new(Config, seed: 5, trainable: true, type);
            foreach (var parameter in Model.Parameters.Where(parameter => parameter.Name.Contains("qkv_proj", StringComparison.Ordinal)))
            {
                for (int i = 0; i < parameter.Weight.Length; i++)
                {
                    if (type == DType.BF16) parameter.Weight.BFloat16s[i] = (BFloat16)(factor * (float)parameter.Weight.BFloat16s[i]);
                    else parameter.Weight.Floats[i] *= factor;
                }
            }
            Optimizer = settings.Create(Model.Parameters, seed: 3);
            Clip = new(Optimizer, settings.QkClip!, Config.Attention, seed: 3);
            Tracker = new(Config.LayerCount, Config.HeadCount);
            var source = new PackedExamples(TinyModel.Examples(24), 16, 4, seed: 3);
            _batch = source.CreateBatch();
            source.Fill(0, _batch);
            _pass = new NextTokenLoss().CreatePass(Kernels, Model, 32, Recompute.None);
        }

        public CpuKernels Kernels { get; } = new(2);

        public LlamaModel Model { get; }

        public Optimizer Optimizer { get; }

        public QkClipping Clip { get; }

        public MaxLogitTracker Tracker { get; }

        public float[][] Logits()
        {
            Tracker.Reset();
            GradientClipping.Clear(Model.Parameters);
            for (int first = 0; first < _batch.Count; first += _pass.Tokens)
            {
                _pass.Run(_batch, first);
                Tracker.Observe(_pass.MaxLogits);
            }
            return [.. Tracker.Layers.Select(layer => layer.Floats.ToArray())];
        }

        public void Dispose()
        {
            _pass.Dispose();
            Tracker.Dispose();
            Optimizer.Dispose();
            Model.Dispose();
            Kernels.Dispose();
        }
    }

    private static double Threshold(float[][] logits) => (logits[0].Max() + logits[0].Min()) / 2;

    private static OptimizerSettings Settings(string name, double threshold, MasterWeights masters = MasterWeights.Split) =>
        (OptimizerSettings)Activator.CreateInstance(OptimizerCatalogue.Optimizers[name])! with
        {
            QkClip = new() { Threshold = threshold }, Masters = masters,
        };

    [Theory]
    [InlineData("muon", DType.F32, MasterWeights.Split, 1e-5)]
    [InlineData("adamw", DType.F32, MasterWeights.Split, 1e-5)]
    [InlineData("muon", DType.BF16, MasterWeights.Split, .02)]
    [InlineData("adamw", DType.BF16, MasterWeights.F32, .02)]
    [InlineData("sgd", DType.BF16, MasterWeights.None, .02)]
    public void The_largest_logits_of_the_first_layer_come_to_the_threshold(string name, DType type, MasterWeights masters, double tolerance)
    {
        double threshold;
        using (var probe = new Fixture(Settings(name, 100, masters), type)) threshold = Threshold(probe.Logits());
        using var fixture = new Fixture(Settings(name, threshold, masters), type);
        float[] before = fixture.Logits()[0];
        // A step of rate zero leaves the weights, so that logits compare.
        fixture.Optimizer.Step(fixture.Kernels, 0, 1);
        int clipped = fixture.Clip.Apply(fixture.Kernels, fixture.Tracker.Layers);
        Assert.Equal(before.Count(logit => logit > threshold), fixture.Clip.ClippedHeads[0]);
        Assert.InRange(fixture.Clip.ClippedHeads[0], 1, before.Length - 1);
        Assert.Equal(clipped, fixture.Clip.ClippedHeads.Sum());
        float[] after = fixture.Logits()[0];
        for (int head = 0; head < before.Length; head++)
            Assert.Equal(Math.Min(before[head], threshold), after[head], tolerance * threshold);
    }

    [Theory]
    [InlineData(MasterWeights.Split)]
    [InlineData(MasterWeights.F32)]
    public void Narrow_weights_are_clipped_as_exactly_as_wide_ones_and_stay_so_after_the_next_update(MasterWeights masters)
    {
        using var narrow = new Fixture(Settings("adamw", .02, masters), DType.BF16);
        using var arena = new Arena("test");
        // The same projection as exact floats, with moments of its own.
        int index = narrow.Model.Parameters.ToList().FindIndex(parameter => parameter.Name.Contains("qkv_proj", StringComparison.Ordinal));
        var parameter = narrow.Model.Parameters[index];
        var exact = arena.Floats("exact", parameter.Weight.Shape);
        exact.Gradient = arena.Floats("dExact", parameter.Weight.Shape);
        for (int i = 0; i < exact.Length; i++) exact.Floats[i] = (float)parameter.Weight.BFloat16s[i];
        using var optimizer = new AdamWOptimizerSettings().Create([new(parameter.Name, exact, true)]);
        var clip = new QkClipping(optimizer, new() { Threshold = .02 }, Config.Attention);
        for (int step = 0; step < 3; step++)
        {
            narrow.Logits();
            parameter.Weight.Gradient!.Bytes.CopyTo(exact.Gradient.Bytes);
            narrow.Optimizer.Step(narrow.Kernels, 1e-3, 1);
            optimizer.Step(narrow.Kernels, 1e-3, 1);
            int clipped = narrow.Clip.Apply(narrow.Kernels, narrow.Tracker.Layers);
            if (step == 0) Assert.InRange(narrow.Clip.ClippedHeads[0], 1, 4);
            Assert.Equal(narrow.Clip.ClippedHeads.Sum(), clipped);
            clip.Apply(narrow.Kernels, [narrow.Tracker.Layers[0]]);
            var master = narrow.Optimizer.MasterOf(index)!;
            for (int i = 0; i < exact.Length; i++)
            {
                Assert.Equal(exact.Floats[i], masters == MasterWeights.F32 ? master.Floats[i]
                    : BitConverter.UInt32BitsToSingle(((uint)parameter.Weight.BFloat16s[i].Bits << 16) | master.UInt16s[i]));
            }
        }
    }

    [Fact]
    public void Micro_batches_add_up_to_their_largest_and_what_is_not_finite_is_an_error_that_scales_nothing()
    {
        using var fixture = new Fixture(Settings("muon", 1e-3), DType.F32);
        using var arena = new Arena("test");
        Tensor Logits(params float[] values)
        {
            var tensor = arena.Floats("logits", 4);
            values.CopyTo(tensor.Floats);
            return tensor;
        }
        var tracker = fixture.Tracker;
        tracker.Observe([Logits(1, 5, -3, 0), Logits(1, 1, 1, 1)]);
        tracker.Observe([Logits(2, 4, -4, 0), Logits(9, 1, 1, 1)]);
        Assert.Equal([2, 5, -3, 0], tracker.Layers[0].Floats.ToArray());
        Assert.Equal([9, 1, 1, 1], tracker.Layers[1].Floats.ToArray());
        Assert.Throws<ArgumentException>(() => tracker.Observe([Logits(1, 2, 3, 4)]));
        byte[] before = fixture.Model.Parameters[1].Weight.Bytes.ToArray();
        foreach (float bad in (float[])[float.NaN, float.PositiveInfinity])
        {
            tracker.Observe([Logits(1, 1, 1, 1), Logits(1, 1, bad, 1)]);
            tracker.Observe([Logits(1, 1, 1, 1), Logits(1, 1, 7, 1)]);
            var error = Assert.Throws<ArithmeticException>(() => fixture.Clip.Apply(fixture.Kernels, tracker.Layers));
            Assert.Contains("layer 1, head 2", error.Message, StringComparison.Ordinal);
            tracker.Reset();
        }
        Assert.Throws<ArithmeticException>(() => fixture.Clip.Apply(fixture.Kernels, tracker.Layers));
        Assert.Throws<ArgumentException>(() => fixture.Clip.Apply(fixture.Kernels, [Logits(1, 1, 1, 1)]));
        Assert.Equal(before, fixture.Model.Parameters[1].Weight.Bytes.ToArray());
    }

    [Fact]
    public void The_loop_tells_how_many_heads_every_update_clipped()
    {
        using var model = new LlamaModel(Config, seed: 5, trainable: true);
        using var kernels = new CpuKernels(1);
        using var optimizer = new AdamW(model.Parameters, new());
        var source = new PackedExamples(TinyModel.Examples(24), 16, 4, seed: 3);
        foreach (double? threshold in (double?[])[null, 1e-6, 1e6])
        {
            using var loop = new TrainingLoop(kernels, model, source, new NextTokenLoss(), optimizer, new Constant { Peak = 1e-3 }, new()
            {
                Steps = 3, QkClip = threshold is { } most ? new() { Threshold = most } : null,
                Faults = [new() { Step = 1, NotANumber = true }],
            });
            var clipped = new List<int?>();
            loop.OnStep = (in StepMetrics metrics, ReadOnlySpan<double> _) => clipped.Add(metrics.ClippedHeads);
            loop.Run();
            // A step that is skipped clips nothing.
            Assert.Null(clipped[1]);
            if (threshold is null) Assert.All(clipped, count => Assert.Null(count));
            else Assert.All((int?[])[clipped[0], clipped[2]], count => Assert.InRange(count!.Value, threshold < 1 ? 1 : 0, threshold < 1 ? 8 : 0));
        }
    }

    [Fact]
    public void Heads_that_do_not_fit_and_impossible_settings_are_named()
    {
        using var model = new LlamaModel(Config, seed: 5, trainable: true);
        using var optimizer = new AdamW(model.Parameters, new());
        var error = Assert.Throws<ArgumentException>(() => new QkClipping(optimizer, new() { Threshold = -1 }, new(2, 1, 8)));
        Assert.Contains("threshold is -1", error.Message, StringComparison.Ordinal);
        Assert.Contains("layers.1.self_attn.qkv_proj.weight has 64 rows; the heads take 32", error.Message, StringComparison.Ordinal);
        using var other = new AdamW([.. model.Parameters.Where(parameter => parameter.Matrices.Count == 0)], new());
        Assert.Throws<ArgumentException>(() => new QkClipping(other, new(), Config.Attention));
    }
}

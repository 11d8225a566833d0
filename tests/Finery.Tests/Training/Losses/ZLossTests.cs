using Finery.Data.Batches;
using Finery.Models;
using Finery.Models.Generation;
using Finery.Models.Llama;
using Finery.Tensors;
using Finery.Training;
using Finery.Training.Losses;
using Xunit;

namespace Finery.Tests.Training.Losses;

public class ZLossTests
{
    private readonly PackedBatch _batch = new PackedExamples(TinyModel.Examples(9), 16, 4, seed: 2).CreateBatch();

    public ZLossTests() => new PackedExamples(TinyModel.Examples(9), 16, 4, seed: 2).Fill(0, _batch);

    private static TrainingPass Pass(LlamaModel model, Kernels kernels, TrainingLoss loss, int tokens) =>
        loss.CreatePass(kernels, model, tokens, Recompute.None);

    private static LlamaModel Model(ModelConfig? config = null)
    {
        var model = new LlamaModel(config ?? TinyModel.Config, seed: 5, trainable: true);
        foreach (var parameter in model.Parameters.Where(parameter => parameter.Weight.Shape.Length == 2))
            foreach (ref float weight in parameter.Weight.Floats) weight *= 4;
        return model;
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void The_loss_reported_is_the_cross_entropy_and_the_gradient_that_of_the_sum(int parts)
    {
        const float Lambda = 0.03f;
        using var kernels = new CpuKernels(1);
        using LlamaModel plain = Model(), with = Model();
        var (none, some) = (new NextTokenLoss(), new NextTokenLoss(Lambda));
        using var plainPass = Pass(plain, kernels, none, _batch.Count);
        using var withPass = Pass(with, kernels, some, _batch.Count / parts);
        double expected = plainPass.Run(_batch, 0), actual = 0;
        for (int part = 0; part < parts; part++) actual += withPass.Run(_batch, part * withPass.Tokens);
        Assert.Equal(expected, actual, 1e-6);
        Assert.Empty(none.MetricNames);
        Assert.Equal(["z_loss"], some.MetricNames);
        double before = some.Metrics[0];
        // logsumexp of 29 nearly equal logits.
        Assert.Equal(Lambda * Math.Pow(Math.Log(29), 2), before, 0.05);

        // A step down its own gradient lowers the sum by the gradient's square, to first order.
        double norm = 0;
        foreach (var parameter in with.Parameters)
        {
            foreach (float gradient in parameter.Weight.Gradient!.Floats) norm += (double)gradient * gradient;
        }
        double step = 1e-3 / Math.Sqrt(norm);
        foreach (var parameter in with.Parameters)
        {
            for (int i = 0; i < parameter.Weight.Length; i++)
                parameter.Weight.Floats[i] -= (float)(step * parameter.Weight.Gradient!.Floats[i]);
            parameter.Weight.Gradient!.Floats.Clear();
        }
        double after = 0;
        for (int part = 0; part < parts; part++) after += withPass.Run(_batch, part * withPass.Tokens);
        Assert.Equal(step * norm, actual + before - after - some.Metrics[0], 0.03 * step * norm);
    }

    [Fact]
    public void A_bounded_model_is_scored_and_trained_on_the_same_losses()
    {
        using var kernels = new CpuKernels(1);
        using var model = Model(TinyModel.Config with { LogitSoftcap = 2, AttentionSoftcap = 3 });
        using var free = Model();
        var loss = new NextTokenLoss();
        using var pass = Pass(model, kernels, loss, _batch.Count);
        using var freePass = Pass(free, kernels, loss, _batch.Count);
        using var scorer = new TokenScorer(model, kernels, _batch.Count);
        var scores = scorer.Score(_batch.Ids, _batch.Positions, _batch.Starts, _batch.Targets);
        double sum = 0;
        for (int i = 0; i < scores.Length; i++) sum += scores[i] * _batch.Weights[i];
        double trained = pass.Run(_batch, 0);
        Assert.Equal(sum, trained, 1e-6);
        Assert.NotEqual(freePass.Run(_batch, 0), trained, 1e-4);
    }

    [Fact]
    public void The_description_tells_and_impossible_factors_are_refused()
    {
        Assert.Equal("next token", new NextTokenLoss().Description);
        Assert.Equal("next token z-loss=0.0001", new NextTokenLoss(1e-4f).Description);
        Assert.Throws<ArgumentOutOfRangeException>(() => new NextTokenLoss(-1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new NextTokenLoss(float.NaN));
    }

    [Fact]
    public void A_step_allocates_nothing()
    {
        using var kernels = new CpuKernels(1);
        using var model = Model(TinyModel.Config with { QkNorm = true, LogitSoftcap = 5 });
        using var pass = Pass(model, kernels, new NextTokenLoss(1e-4f), _batch.Count);
        pass.Run(_batch, 0);
        pass.Run(_batch, 0);
        long allocated = GC.GetAllocatedBytesForCurrentThread();
        pass.Run(_batch, 0);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - allocated);
    }
}

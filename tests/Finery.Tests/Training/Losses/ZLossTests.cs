using Finery.Data.Batches;
using Finery.Models;
using Finery.Models.Generation;
using Finery.Models.Llama;
using Finery.Tensors;
using Finery.Training;
using Finery.Training.Losses;
using Finery.Training.Losses.Distillation;
using Finery.Training.Losses.MultiToken;
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

    public static TheoryData<string> Objectives => ["independent", "sequential", "shared", "teacher", "cache"];

    /// <summary>An objective of several terms, the others with a factor on their weight.</summary>
    private static ObjectiveRun Run(string name, double factor, double zLoss, int microBatches = 1)
    {
        if (name is not ("teacher" or "cache"))
        {
            var form = Enum.Parse<MultiTokenForm>(name, ignoreCase: true);
            return new ObjectiveRun(new MultiTokenObjective { Form = form, Ahead = 2, Lambda = factor, ZLoss = zLoss }, microBatches: microBatches).Enlarged();
        }
        using var teacher = new LlamaModel(TinyModel.Config with { EmbeddingSize = 24 }, seed: 77, trainable: false);
        var objective = new DistillationObjective { Alpha = .6 * factor, ZLoss = zLoss };
        if (name == "teacher")
        {
            objective = objective with { Features = new() { Weight = factor }, Attention = new() { Weight = factor } };
            return new ObjectiveRun(objective, teacher: teacher, microBatches: microBatches).Enlarged();
        }
        var folder = new TemporaryFolder();
        using (var kernels = new CpuKernels(1))
            new TeacherCacheWriter(kernels, teacher, new()).Write([(new PackedExamples(TinyModel.Examples(24), 16, 4, seed: 3), 10)], folder.Path);
        return new ObjectiveRun(objective with { Cache = folder.Path }, microBatches: microBatches, folder: folder).Enlarged();
    }

    [Theory, MemberData(nameof(Objectives))]
    public void Objectives_of_several_terms_have_it_beside_the_next_token(string name)
    {
        using var plain = Run(name, 1, 0);
        using var one = Run(name, 1, .03);
        using var four = Run(name, 1, .03, microBatches: 4);
        // The loss reported, and every other figure, are what they are without it.
        Assert.Equal(plain.Gradients(), one.Gradients(), 1e-5);
        Assert.Equal("z_loss", one.Loss.MetricNames[^1]);
        Assert.Equal([.. plain.Loss.MetricNames, "z_loss"], one.Loss.MetricNames);
        for (int i = 0; i < plain.Figures.Length; i++) Assert.Equal(plain.Figures[i], one.Figures[i], 1e-5);
        Assert.True(one.Figures[^1] > .01, $"{one.Figures[^1]}");
        Assert.EndsWith(" z-loss=0.03", one.Loss.Description, StringComparison.Ordinal);
        Assert.EndsWith(plain.Loss.Description, one.Loss.Description[..^" z-loss=0.03".Length], StringComparison.Ordinal);
        ObjectiveAssert.SameStep(one, four);
        ObjectiveAssert.GradientsMatchDifferences(one);
    }

    [Theory, MemberData(nameof(Objectives))]
    public void Without_weight_on_the_others_it_is_that_of_the_next_token(string name)
    {
        using var next = new ObjectiveRun(new NextTokenObjective { ZLoss = .03 }).Enlarged();
        using var several = Run(name, 0, .03);
        Assert.Equal(next.Gradients(), several.Gradients(), 1e-6);
        Assert.Equal(next.Figures[0], several.Figures[^1], 1e-6);
        foreach (var parameter in next.Parameters)
            ObjectiveAssert.Close(parameter.Weight.Gradient!.Floats.ToArray(), several.GradientOf(parameter.Name), 1e-5, parameter.Name);
        ObjectiveAssert.AllocatesNothing(() => several.Gradients());
    }

    [Fact]
    public void Impossible_factors_of_objectives_are_reported()
    {
        foreach (var objective in (TrainingObjective[])[new NextTokenObjective(), new MultiTokenObjective(), new DistillationObjective()])
        {
            foreach (double factor in (double[])[-1, double.NaN, double.PositiveInfinity])
                Assert.Equal("ZLoss", Assert.Single((objective with { ZLoss = factor }).Validate()).Property);
        }
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

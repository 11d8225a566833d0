using Finery.Models.Llama;
using Finery.Tensors;
using Finery.Training;
using Finery.Training.Losses;
using Finery.Training.Losses.Distillation;
using Xunit;

namespace Finery.Tests.Training.Losses;

public class AttentionMatchingTests
{
    // Other heads, other head size, other width and depth than the model, with weights that make attention sharp.
    private static LlamaModel Teacher(DType type = DType.F32)
    {
        var config = TinyModel.Config with { EmbeddingSize = 24, LayerCount = 4, HeadCount = 6, KvHeadCount = 3, HeadSize = 4, FeedForwardSize = 40, QkNorm = true };
        var teacher = new LlamaModel(config, seed: 77, trainable: false, type);
        foreach (var (name, tensor) in teacher.NamedWeights)
        {
            float factor = name.Contains("_norm", StringComparison.Ordinal) ? 3 : tensor.Shape.Length == 1 ? 1 : 6;
            for (int i = 0; i < tensor.Length; i++) tensor[i] *= factor;
        }
        return teacher;
    }

    private static DistillationObjective Objective(double weight, params int[] layers) =>
        new() { Alpha = .2, Attention = new() { Weight = weight, Layers = layers.Length == 0 ? null : layers } };

    [Fact]
    public void Gradients_match_finite_differences()
    {
        using var teacher = Teacher();
        using var run = new ObjectiveRun(Objective(5, 2, 1), teacher: teacher).Enlarged(4);
        ObjectiveAssert.GradientsMatchDifferences(run);
        double total = run.Gradients();
        Assert.Equal(["loss/next_token", "loss/divergence", "alpha", "loss/attention"], run.Loss.MetricNames);
        Assert.True(run.Figures[3] > .1, $"attention {run.Figures[3]}");
        Assert.Equal(.8 * run.Figures[0] + .2 * run.Figures[1] + run.Figures[3], total, 1e-5);
    }

    [Fact]
    public void A_teacher_equal_to_the_model_changes_nothing()
    {
        using var teacher = new LlamaModel(TinyModel.Config, seed: 5, trainable: false);
        using var plain = new ObjectiveRun(new DistillationObjective(), teacher: teacher);
        using var matched = new ObjectiveRun(Objective(10, 1, 2) with { Alpha = .5 }, teacher: teacher);
        Assert.Equal(plain.Gradients(), matched.Gradients());
        Assert.Equal(0, matched.Figures[3]);
        foreach (var parameter in plain.Parameters) Assert.Equal(plain.GradientOf(parameter.Name), matched.GradientOf(parameter.Name));
    }

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.BF16)]
    public void Attention_comes_nearer_to_the_teachers(DType type)
    {
        using var teacher = Teacher(type);
        using var run = new ObjectiveRun(Objective(100), type: type, teacher: teacher);
        run.Train(1, 60, 1e-2);
        double first = run.Figures[3];
        run.Train(60, 60, 1e-2);
        Assert.True(run.Figures[3] < .7 * first, $"{first} came to {run.Figures[3]}");
    }

    [Fact]
    public void It_needs_no_alpha_and_stands_beside_features()
    {
        using var teacher = Teacher();
        using var run = new ObjectiveRun(Objective(1, 1) with { Alpha = 0, Features = new() }, teacher: teacher).Enlarged();
        double total = run.Gradients();
        Assert.Equal(["loss/features", "loss/attention"], run.Loss.MetricNames.Skip(3));
        Assert.True(double.IsNaN(run.Figures[1]));
        Assert.True(run.Figures[3] > 0 && run.Figures[4] > 0);
        Assert.Equal(run.Figures[0] + run.Figures[3] + run.Figures[4], total, 1e-5);
        Assert.EndsWith("features Square x 0.1 of last attention x 1 of 1", run.Loss.Description.Split(" teacher=")[0], StringComparison.Ordinal);

        // Without weight there is nothing to compute, and nothing changes.
        using var none = new ObjectiveRun(Objective(0, 1) with { Alpha = 0 }, teacher: teacher);
        using var plain = new ObjectiveRun(new NextTokenObjective());
        Assert.Equal(plain.Train(3), none.Train(3));
        Assert.Equal(plain.ModelBytes(), none.ModelBytes());
        Assert.True(double.IsNaN(none.Figures[3]));
    }

    [Fact]
    public void Packed_documents_are_those_of_separate_batches()
    {
        using var teacher = Teacher();
        using var run = new ObjectiveRun(Objective(1, 1, 2), teacher: teacher, microBatches: 4).Enlarged();
        int[] a = [1, 5, 9, 2, 7], b = [3, 3, 8, 1];
        double Attention(params int[][] documents)
        {
            run.Gradients(batch: ObjectiveRun.Batch(16, documents));
            return run.Figures[3];
        }
        Assert.Equal((4 * Attention(a) + 3 * Attention(b)) / 7, Attention(a, b), 1e-6);
    }

    [Fact]
    public void A_step_allocates_nothing_and_its_memory_is_known_before()
    {
        using var folder = new TemporaryFolder();
        using var teacher = Teacher();
        teacher.Save(folder.Path);
        var objective = Objective(1, 1, 2) with { Teacher = folder.Path };
        using var run = new ObjectiveRun(objective);
        ObjectiveAssert.AllocatesNothing(() => run.Gradients());
        Assert.Equal(run.Pass.Bytes, MemoryEstimate.OfTraining(TinyModel.Config, 64, objective: objective).Activations);
    }

    [Fact]
    public void Wrong_settings_are_refused()
    {
        string[] Faults(DistillationObjective objective) => [.. objective.Validate().Select(fault => $"{fault.Property}: {fault.Message}")];
        Assert.Equal(["Attention: attention needs the teacher itself: give 'teacher'."], Faults(new() { Cache = "a", Attention = new() }));
        Assert.Equal(
            ["Attention: weight -1; expected a finite number from 0.", "Attention: layers [0, 2]; expected different numbers from 1."],
            Faults(Objective(-1, 0, 2)));
        using var model = new LlamaModel(TinyModel.Config, 1, trainable: true);
        using var teacher = Teacher();
        var error = ObjectiveAssert.Refused(Objective(1, 3), model, teacher);
        Assert.Contains("no layer 3 to match: the model has 2", error.Message, StringComparison.Ordinal);
    }
}

using Finery.Data.Batches;
using Finery.Models;
using Finery.Models.Llama;
using Finery.Tensors;
using Finery.Training;
using Finery.Training.Losses;
using Finery.Training.Losses.Distillation;
using Xunit;

namespace Finery.Tests.Training.Losses;

public class DistillationTests
{
    private static readonly ModelConfig TeacherConfig = TinyModel.Config with { EmbeddingSize = 24, LayerCount = 4, FeedForwardSize = 40 };

    public static TheoryData<Divergence> Kinds => [.. Enum.GetValues<Divergence>()];

    private static LlamaModel Teacher(ModelConfig? config = null, DType type = DType.F32)
    {
        var teacher = new LlamaModel(config ?? TeacherConfig, seed: 77, trainable: false, type);
        foreach (var (_, tensor) in teacher.NamedWeights)
        {
            if (tensor.Shape.Length == 1 || tensor.Type != DType.F32) continue;
            foreach (ref float weight in tensor.Floats) weight *= 6;
        }
        return teacher;
    }

    [Theory, MemberData(nameof(Kinds))]
    public void Gradients_match_finite_differences_of_the_loss(Divergence kind)
    {
        using var teacher = Teacher();
        var objective = new DistillationObjective { Alpha = .7, Divergence = kind, Temperature = 2 };
        using var run = new ObjectiveRun(objective, teacher: teacher).Enlarged();
        ObjectiveAssert.GradientsMatchDifferences(run);
    }

    [Theory]
    [InlineData(RowMeasure.Square)]
    [InlineData(RowMeasure.Cosine)]
    public void Gradients_of_features_match_finite_differences(RowMeasure measure)
    {
        using var teacher = Teacher();
        var objective = new DistillationObjective { Alpha = .2, Features = new() { Weight = 1, Layers = [1, 2], Measure = measure } };
        using var run = new ObjectiveRun(objective, teacher: teacher).Enlarged(4);
        ObjectiveAssert.GradientsMatchDifferences(run);
        Assert.Equal(["loss/next_token", "loss/divergence", "alpha", "loss/features"], run.Loss.MetricNames);
        double total = run.Gradients();
        Assert.Equal(.8 * run.Figures[0] + .2 * run.Figures[1] + run.Figures[3], total, 1e-5);
        Assert.Equal(["distillation.features.1.feature_proj.weight", "distillation.features.2.feature_proj.weight"], run.Loss.Parameters.Select(parameter => parameter.Name));
    }

    [Fact]
    public void A_teacher_equal_to_the_model_teaches_nothing()
    {
        foreach (var kind in Enum.GetValues<Divergence>())
        {
            using var teacher = new LlamaModel(TinyModel.Config, seed: 5, trainable: false);
            using var run = new ObjectiveRun(new DistillationObjective { Alpha = 1, Divergence = kind }, teacher: teacher);
            Assert.Equal(0, run.Gradients(), 1e-6);
            Assert.Equal(0, run.Figures[1], 1e-6);
            Assert.True(run.Figures[0] > 3);
            foreach (var parameter in run.Parameters)
                Assert.All(parameter.Weight.Gradient!.Floats.ToArray(), value => Assert.Equal(0, value, 1e-6));
        }
    }

    [Fact]
    public void Without_alpha_a_run_is_the_plain_one_to_the_bit()
    {
        using var teacher = Teacher();
        using var plain = new ObjectiveRun(new NextTokenObjective());
        using var distilled = new ObjectiveRun(new DistillationObjective { Alpha = 0 }, teacher: teacher);
        Assert.Equal(plain.Train(5), distilled.Train(5));
        Assert.Equal(plain.ModelBytes(), distilled.ModelBytes());
        Assert.True(double.IsNaN(distilled.Figures[1]));
    }

    [Fact]
    public void Four_micro_batches_are_one_batch()
    {
        using var teacher = Teacher();
        var objective = new DistillationObjective { Alpha = .5, Features = new(), Attention = new() { Layers = [1, 2] } };
        using var one = new ObjectiveRun(objective, teacher: teacher).Enlarged();
        using var four = new ObjectiveRun(objective, microBatches: 4, teacher: teacher).Enlarged();
        ObjectiveAssert.SameStep(one, four);
    }

    [Fact]
    public void Threads_and_recomputation_change_no_bit()
    {
        using var teacher = Teacher();
        var objective = new DistillationObjective
        {
            Alpha = .5, Divergence = Divergence.Reverse, Features = new() { Layers = [1, 2] }, Attention = new() { Weight = 5, Layers = [2, 1] },
        };
        using var one = new ObjectiveRun(objective, teacher: teacher);
        one.Train(3);
        foreach (var (threads, recompute) in ((int, Recompute)[])[(2, Recompute.None), (1, Recompute.Selective), (2, Recompute.Full)])
        {
            using var other = new ObjectiveRun(objective, threads, teacher: teacher, recompute: recompute);
            other.Train(3);
            Assert.Equal(one.AllBytes(), other.AllBytes());
        }
    }

    [Fact]
    public void A_narrow_model_comes_nearer_to_its_teacher()
    {
        using var teacher = Teacher(type: DType.BF16);
        using var run = new ObjectiveRun(new DistillationObjective { Alpha = 1, Features = new() }, type: DType.BF16, teacher: teacher);
        run.Train(1, 40, 1e-2);
        var (divergence, features) = (run.Figures[1], run.Figures[3]);
        double[] losses = run.Train(40, 40, 1e-2);
        Assert.All(losses, loss => Assert.True(double.IsFinite(loss)));
        Assert.True(run.Figures[3] < features, $"features {features} came to {run.Figures[3]}");
        Assert.True(run.Figures[1] < divergence + 1e-3, $"divergence {divergence} came to {run.Figures[1]}");
    }

    [Fact]
    public void A_student_learns_its_teacher()
    {
        using var teacher = Teacher();
        using var run = new ObjectiveRun(new DistillationObjective { Alpha = 1 }, teacher: teacher, source: new PackedExamples(TinyModel.Examples(3), 16, 3, seed: 1));
        run.Train(1, 100, 1e-2);
        double first = run.Figures[1];
        run.Train(100, 100, 1e-2);
        Assert.True(run.Figures[1] < .5 * first, $"{first} came to {run.Figures[1]}");
    }

    [Fact]
    public void Alpha_is_a_function_of_the_step()
    {
        var objective = new DistillationObjective
        {
            Teacher = "t", Schedule = [new() { At = 0, Weights = [0] }, new() { At = .1, Weights = [.9] }, new() { At = .8, Weights = [.9] }, new() { At = 1, Weights = [0] }],
        };
        Assert.Empty(objective.Validate());
        Assert.Equal([0, .45, .9, .45], new long[] { 0, 5, 50, 90 }.Select(step => Math.Round(objective.AlphaAt(step, 100), 12)));
    }

    [Fact]
    public void A_step_allocates_nothing()
    {
        using var teacher = Teacher();
        using var run = new ObjectiveRun(new DistillationObjective { Features = new() }, teacher: teacher);
        ObjectiveAssert.AllocatesNothing(() => run.Gradients());
    }

    [Fact]
    public void Models_that_do_not_fit_and_wrong_settings_are_refused()
    {
        using var model = new LlamaModel(TinyModel.Config, 1, trainable: true);
        using var other = Teacher(TeacherConfig with { VocabSize = 30, SequenceLength = 8 });
        var error = ObjectiveAssert.Refused(new() { Features = new() { Layers = [3] } }, model, other);
        using var bounded = Teacher(TeacherConfig with { LogitSoftcap = 30 });
        Assert.Contains("cache", ObjectiveAssert.Refused(new(), model, bounded).Message, StringComparison.Ordinal);
        foreach (string part in (string[])["30 tokens", "8 tokens", "layer 3"]) Assert.Contains(part, error.Message, StringComparison.Ordinal);

        string[] Faults(DistillationObjective objective) => [.. objective.Validate().Select(fault => fault.Property)];
        // A step may give the teacher; without any there is no loss.
        Assert.Empty(Faults(new()));
        Assert.Contains("'teacher' or a 'cache'", Assert.Throws<ArgumentException>(() => new DistillationObjective().CreateLoss(model, 1)).Message, StringComparison.Ordinal);
        Assert.Equal(["Teacher"], Faults(new() { Teacher = "a", Cache = "b" }));
        Assert.Equal(["Alpha", "Temperature"], Faults(new() { Teacher = "a", Alpha = 2, Temperature = 0 }));
        Assert.Equal(["Divergence", "Features"], Faults(new() { Cache = "a", Divergence = Divergence.Reverse, Features = new() }));
        Assert.Equal(["Remainder"], Faults(new() { Teacher = "a", Remainder = true }));
        Assert.Equal(["Remainder"], Faults(new() { Cache = "a", Remainder = true, Temperature = 2 }));
        Assert.Throws<FileNotFoundException>(() => new DistillationObjective { Teacher = Path.GetTempPath() + "/no-such-model" }.CreateLoss(model, 1));
    }

    [Fact]
    public void A_teacher_is_loaded_from_its_folder()
    {
        using var folder = new TemporaryFolder();
        using var teacher = Teacher();
        teacher.Save(folder.Path);
        using var loaded = new ObjectiveRun(new DistillationObjective { Teacher = folder.Path });
        var estimate = MemoryEstimate.OfTraining(
            TinyModel.Config, 64, objective: new DistillationObjective { Teacher = folder.Path, Features = new() });
        using var features = new ObjectiveRun(new DistillationObjective { Teacher = folder.Path, Features = new() });
        Assert.Equal(features.Pass.Bytes, estimate.Activations);
        Assert.Equal(features.Model.Bytes + features.Loss.Bytes, estimate.Weights + estimate.Gradients);
        Assert.Contains(TeacherFingerprint.Of(teacher), loaded.Loss.Description, StringComparison.Ordinal);
    }
}

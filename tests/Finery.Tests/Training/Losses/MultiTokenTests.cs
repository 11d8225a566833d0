using Finery.Data.Batches;
using Finery.Models;
using Finery.Models.Llama;
using Finery.Tensors;
using Finery.Training;
using Finery.Training.Losses;
using Finery.Training.Losses.Branches;
using Finery.Training.Losses.MultiToken;
using Xunit;

namespace Finery.Tests.Training.Losses;

public class MultiTokenTests
{
    public static TheoryData<MultiTokenForm> Forms => [.. Enum.GetValues<MultiTokenForm>()];

    private static MultiTokenObjective Of(MultiTokenForm form, int ahead = 2) => new() { Form = form, Ahead = ahead };

    // Pretraining reference 11, case 22.
    [Fact]
    public void Tokens_ahead_stay_within_their_document()
    {
        int[] a = [10, 11, 12], b = [20, 21, 22, 23];
        var batch = ObjectiveRun.Batch(7, a, b);
        int[] Shifted(int shift) => [.. Enumerable.Range(0, 7).Select(i => ShiftedTargets.Target(batch, i, shift - 1))];
        Assert.Equal([11, 12, -1, 21, 22, 23, -1], Shifted(1));
        Assert.Equal([12, -1, -1, 22, 23, -1, -1], Shifted(2));
        Assert.Equal([-1, -1, -1, 23, -1, -1, -1], Shifted(3));
        Assert.Equal([5, 3, 1], Enumerable.Range(0, 3).Select(shift => ShiftedTargets.Count(batch, shift)));
        var (ids, keep) = (new int[7], new int[7]);
        ShiftedTargets.LoadInputs(batch, 0, 1, ids, keep);
        Assert.Equal([11, 12, 0, 21, 22, 23, 0], ids);
        Assert.Equal([1, 1, 0, 1, 1, 1, 0], keep);
    }

    [Fact]
    public void Rows_end_and_prompts_have_no_target()
    {
        var source = new PackedExamples(TinyModel.Examples(24), 16, 4, seed: 3);
        var batch = source.CreateBatch();
        source.Fill(0, batch);
        for (int shift = 0; shift < 4; shift++)
        {
            for (int i = 0; i < batch.Count; i++)
            {
                int target = ShiftedTargets.Target(batch, i, shift);
                bool same = i + shift < batch.Count && batch.Starts[i + shift] == batch.Starts[i];
                Assert.Equal(same ? batch.Targets[i + shift] : -1, target);
            }
        }
    }

    [Theory, MemberData(nameof(Forms))]
    public void Without_weight_a_run_is_the_plain_one_to_the_bit(MultiTokenForm form)
    {
        foreach (var type in (DType[])[DType.F32, DType.BF16])
        {
            using var plain = new ObjectiveRun(new NextTokenObjective(), microBatches: 2, type: type);
            using var multi = new ObjectiveRun(Of(form) with { Lambda = 0 }, microBatches: 2, type: type);
            Assert.Equal(plain.Train(6), multi.Train(6));
            Assert.Equal(plain.ModelBytes(), multi.ModelBytes());
            Assert.All(multi.Figures[1..], figure => Assert.True(double.IsNaN(figure)));
        }
    }

    [Theory, MemberData(nameof(Forms))]
    public void Gradients_match_finite_differences_of_the_loss(MultiTokenForm form)
    {
        using var run = new ObjectiveRun(Of(form) with { Lambda = 1, Weights = [.7, .4] }).Enlarged();
        ObjectiveAssert.GradientsMatchDifferences(run);
    }

    [Theory, MemberData(nameof(Forms))]
    public void Recomputation_changes_no_bit(MultiTokenForm form)
    {
        using var none = new ObjectiveRun(Of(form));
        none.Train(3);
        foreach (var recompute in (Recompute[])[Recompute.Selective, Recompute.Full])
        {
            using var other = new ObjectiveRun(Of(form), recompute: recompute);
            other.Train(3);
            Assert.Equal(none.AllBytes(), other.AllBytes());
        }
    }

    // Pretraining reference 11, case 17: prompts leave micro-batches with unequal numbers of targets.
    [Theory, MemberData(nameof(Forms))]
    public void Four_micro_batches_are_one_batch(MultiTokenForm form)
    {
        using var one = new ObjectiveRun(Of(form)).Enlarged();
        using var four = new ObjectiveRun(Of(form), microBatches: 4).Enlarged();
        ObjectiveAssert.SameStep(one, four);
    }

    [Theory, MemberData(nameof(Forms))]
    public void One_and_two_threads_give_the_same_bits(MultiTokenForm form)
    {
        using var one = new ObjectiveRun(Of(form), threads: 1);
        using var two = new ObjectiveRun(Of(form), threads: 2);
        Assert.Equal(one.Train(4), two.Train(4));
        Assert.Equal(one.AllBytes(), two.AllBytes());
    }

    [Theory, MemberData(nameof(Forms))]
    public void Narrow_models_learn_too(MultiTokenForm form)
    {
        using var run = new ObjectiveRun(Of(form), type: DType.BF16, source: new PackedExamples(TinyModel.Examples(3), 16, 3, seed: 1));
        double[] losses = run.Train(60, 60, 1e-2);
        Assert.All(losses, loss => Assert.True(double.IsFinite(loss)));
        Assert.True(losses[^1] < .6 * losses[0], $"{losses[0]} came to {losses[^1]}");
        Assert.True(run.Figures[0] < 1.5 && run.Figures[1] < run.Figures[2] + 3, string.Join(", ", run.Figures));
    }

    // Pretraining reference 11, case 10.
    [Theory, MemberData(nameof(Forms))]
    public void Packed_documents_are_the_mean_of_separate_runs(MultiTokenForm form)
    {
        int[] a = [3, 9, 4, 11, 7, 2, 8], b = [5, 1, 13, 6, 6, 20, 9];
        var source = new PackedExamples(TinyModel.Examples(24), 16, 1, seed: 3);
        using var run = new ObjectiveRun(Of(form), source: source).Enlarged();
        (double Loss, double[] Figures, float[][] Gradients) Of1(params int[][] documents)
        {
            double loss = run.Gradients(batch: ObjectiveRun.Batch(16, documents));
            return (loss, run.Figures, [.. run.Parameters.Select(parameter => parameter.Weight.Gradient!.Floats.ToArray())]);
        }
        var (both, first, second) = (Of1(a, b), Of1(a), Of1(b));
        Assert.Equal((first.Loss + second.Loss) / 2, both.Loss, 1e-5);
        for (int i = 0; i < both.Figures.Length; i++) Assert.Equal((first.Figures[i] + second.Figures[i]) / 2, both.Figures[i], 1e-5);
        for (int p = 0; p < both.Gradients.Length; p++)
        {
            float[] mean = [.. first.Gradients[p].Zip(second.Gradients[p], (x, y) => (x + y) / 2)];
            ObjectiveAssert.Close(mean, both.Gradients[p], 1e-5, run.Parameters[p].Name);
        }
        // Whatever stands before a document, its own figures are the same.
        var other = Of1([4, 4, 1, 19, 2, 2, 6], b);
        var alone = Of1([4, 4, 1, 19, 2, 2, 6]);
        for (int i = 0; i < both.Figures.Length; i++) Assert.Equal(second.Figures[i], 2 * other.Figures[i] - alone.Figures[i], 1e-5);
    }

    [Fact]
    public void One_head_after_another_is_all_of_them_together()
    {
        const int Ahead = 3;
        using var run = new ObjectiveRun(Of(MultiTokenForm.Independent, Ahead)).Enlarged();
        double loss = run.Gradients();
        float[][] heads = [.. run.Parameters.Select(parameter => parameter.Weight.Gradient!.Floats.ToArray())];

        // The same with everything on one tape, and the loss's own layers found by their names.
        using var modules = new LlamaModules(run.Model);
        for (int i = 0; i < Ahead; i++) modules.AddLayer($"model.layers.{2 + i}.");
        foreach (var (mine, theirs) in modules.Parameters.Zip(run.Loss.Parameters))
        {
            Assert.Equal(theirs.Name, mine.Name);
            theirs.Weight.Bytes.CopyTo(mine.Weight.Bytes);
        }
        Finery.Training.Optimizers.GradientClipping.Clear(run.Parameters);
        using var arena = new Arena("joint");
        var batch = run.Source.CreateBatch();
        run.Source.Fill(0, batch);
        var inputs = new ModelInputs(arena, batch.Count);
        inputs.Load(batch.Ids, batch.Positions, batch.Starts, 0);
        var tape = new Tape(run.Kernels, arena, gradients: true);
        var stream = run.Model.Stream(tape, inputs, 1);
        Tensor[] forks = [.. Enumerable.Range(0, Ahead).Select(_ => tape.Fork(stream))];
        var all = new List<(Tensor Losses, Tensor Weights)>();
        for (int head = 0; head <= Ahead; head++)
        {
            var end = head == 0 ? run.Model.Continue(tape, stream, inputs, 1) : modules.Layer(tape, forks[head - 1], head - 1, 1, inputs);
            var (targets, weights) = (arena.Integers("targets", batch.Count), arena.Floats("weights", batch.Count));
            ShiftedTargets.Load(batch, 0, head, 1, targets.Integers, weights.Floats);
            all.Add((run.Model.Losses(tape, run.Model.FinalNorm(tape, end), targets, weights, weightsKnown: true), weights));
        }
        tape.Forward();
        tape.Backward();
        double joint = all.Sum(head => head.Losses.Floats.ToArray().Zip(head.Weights.Floats.ToArray(), (l, w) => l * (double)w).Sum());
        Assert.Equal(joint, loss, 1e-6);
        var parameters = run.Model.Parameters.Concat(modules.Parameters).ToList();
        for (int p = 0; p < parameters.Count; p++)
            ObjectiveAssert.Close(parameters[p].Weight.Gradient!.Floats.ToArray(), heads[p], 1e-5, parameters[p].Name);
    }

    [Fact]
    public void Memory_does_not_grow_with_the_number_of_heads()
    {
        (long Branch, long All) Bytes(int ahead)
        {
            using var run = new ObjectiveRun(Of(MultiTokenForm.Independent, ahead));
            run.Gradients();
            return (((BranchedPass)run.Pass).BranchBytes, run.Pass.Bytes);
        }
        var (one, four) = (Bytes(1), Bytes(4));
        Assert.Equal(one.Branch, four.Branch);
        // A head keeps its losses, one a token, and the largest score of each of its attention heads: nothing that has a width.
        Assert.True(four.All - one.All <= 3 * (64 * sizeof(float) + 64), $"{one.All} bytes came to {four.All}");
        Assert.True(one.Branch > 10_000, $"{one.Branch}");
    }

    [Theory, MemberData(nameof(Forms))]
    public void Memory_is_known_before_it_is_taken(MultiTokenForm form)
    {
        foreach (var recompute in Enum.GetValues<Recompute>())
        {
            using var run = new ObjectiveRun(Of(form), recompute: recompute, microBatches: 2);
            run.Train(1);
            var estimate = MemoryEstimate.OfTraining(TinyModel.Config, 32, recompute, objective: Of(form));
            Assert.Equal(run.Pass.Bytes, estimate.Activations);
            Assert.Equal(run.Model.Bytes + run.Loss.Bytes, estimate.Weights + estimate.Gradients);
            Assert.Equal(2 * run.Parameters.Sum(parameter => parameter.Weight.ByteLength), estimate.OptimizerState);
        }
    }

    [Fact]
    public void Weights_are_a_function_of_the_step()
    {
        // Pretraining reference 4.1: [1, .5, .25 -> 0], [1, .5 -> 0], [1], thirds of a run.
        var objective = Of(MultiTokenForm.Shared) with
        {
            Schedule =
            [
                new() { At = 0, Weights = [.5, .25] }, new() { At = 1 / 3.0, Weights = [.5, 0] }, new() { At = 2 / 3.0, Weights = [0, 0] },
            ],
        };
        Assert.Empty(objective.Validate());
        double[] At(long step) => [objective.WeightAt(0, step, 300), objective.WeightAt(1, step, 300)];
        Assert.Equal([.5, .25], At(0));
        Assert.Equal(.125, At(50)[1], 1e-12);
        Assert.Equal(.5, At(99)[0], 1e-12);
        Assert.Equal([.25, 0], At(150).Select(weight => Math.Round(weight, 12)));
        Assert.Equal([0, 0], At(250));

        // DeepSeek-V3: 0.3, later 0.1.
        var jump = Of(MultiTokenForm.Sequential, 1) with
        {
            Schedule = [new() { At = 0, Weights = [.3] }, new() { At = .5, Weights = [.3] }, new() { At = .5, Weights = [.1] }],
        };
        Assert.Equal([.3, .3, .1, .1], new long[] { 0, 49, 50, 99 }.Select(step => jump.WeightAt(0, step, 100)));
    }

    [Fact]
    public void Default_weights_are_those_published()
    {
        Assert.Equal([1.0, 1.0], [Of(MultiTokenForm.Independent).WeightAt(0, 0, 1), Of(MultiTokenForm.Independent).WeightAt(1, 0, 1)]);
        Assert.Equal(.15, Of(MultiTokenForm.Sequential).WeightAt(1, 0, 1), 1e-15);
        Assert.Equal([.5, .25], [Of(MultiTokenForm.Shared).WeightAt(0, 0, 1), Of(MultiTokenForm.Shared).WeightAt(1, 0, 1)]);
    }

    [Fact]
    public void The_main_loss_is_told_from_the_total()
    {
        using var plain = new ObjectiveRun(new NextTokenObjective());
        using var multi = new ObjectiveRun(Of(MultiTokenForm.Sequential, 1));
        double main = plain.Gradients(), total = multi.Gradients();
        Assert.Equal(["loss/next_token", "loss/token_2"], multi.Loss.MetricNames);
        Assert.Equal(main, multi.Figures[0], 1e-6);
        Assert.Equal(main + .3 * multi.Figures[1], total, 1e-6);
    }

    [Theory, MemberData(nameof(Forms))]
    public void Modules_are_kept_beside_the_model(MultiTokenForm form)
    {
        using var folder = new TemporaryFolder();
        using var run = new ObjectiveRun(Of(form));
        run.Train(2);
        run.Model.Save(folder.Path);
        run.Loss.SaveBeside(folder.Path);
        string file = Path.Combine(folder.Path, "mtp.safetensors");
        Assert.Equal(form != MultiTokenForm.Shared, File.Exists(file));
        using var model = LlamaModel.Load(folder.Path, trainable: false);
        if (form == MultiTokenForm.Shared) return;

        using var other = new ObjectiveRun(Of(form));
        ((MultiTokenLoss)other.Loss).LoadBeside(folder.Path);
        Assert.Equal(
            run.Loss.Parameters.SelectMany(parameter => parameter.Weight.Bytes.ToArray()),
            other.Loss.Parameters.SelectMany(parameter => parameter.Weight.Bytes.ToArray()));
        using var wrong = new ObjectiveRun(Of(form, 3));
        Assert.Throws<InvalidDataException>(() => ((MultiTokenLoss)wrong.Loss).LoadBeside(folder.Path));
        File.WriteAllBytes(file, File.ReadAllBytes(file)[..100]);
        Assert.Throws<InvalidDataException>(() => ((MultiTokenLoss)other.Loss).LoadBeside(folder.Path));
    }

    [Fact]
    public void The_sequential_projection_reads_the_embedding_first()
    {
        using var run = new ObjectiveRun(Of(MultiTokenForm.Sequential, 1));
        var projection = run.Loss.Parameters.Single(parameter => parameter.Name == "model.layers.2.eh_proj.weight");
        Assert.Equal([16, 32], projection.Weight.Shape.ToArray());
        run.Gradients();
        float[] before = projection.Weight.Gradient!.Floats.ToArray();
        // Without hidden state only the half that reads embeddings has a gradient.
        run.Loss.Parameters.Single(parameter => parameter.Name == "model.layers.2.hnorm.weight").Weight.Floats.Clear();
        run.Gradients();
        float[] after = projection.Weight.Gradient!.Floats.ToArray();
        Assert.Contains(before.Where((_, i) => i % 32 >= 16), value => value != 0);
        Assert.All(after.Where((_, i) => i % 32 >= 16), value => Assert.Equal(0, value));
        Assert.Contains(after.Where((_, i) => i % 32 < 16), value => value != 0);
    }

    [Theory, MemberData(nameof(Forms))]
    public void A_step_allocates_nothing(MultiTokenForm form)
    {
        using var run = new ObjectiveRun(Of(form), microBatches: 2);
        ObjectiveAssert.AllocatesNothing(() => run.Gradients());
    }

    [Fact]
    public void A_value_that_is_not_finite_is_found_in_any_branch()
    {
        using var run = new ObjectiveRun(Of(MultiTokenForm.Independent));
        var batch = run.Source.CreateBatch();
        run.Source.Fill(0, batch);
        Assert.Null(run.Pass.Check(batch, 0));
        run.Loss.Parameters.Single(parameter => parameter.Name == "model.layers.3.mlp.down_proj.weight").Weight.Floats[3] = float.NaN;
        Assert.Contains("model.layers.3.mlp.down_proj", run.Pass.Check(batch, 0)!.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Wrong_settings_are_all_reported()
    {
        string[] Faults(MultiTokenObjective objective) => [.. objective.Validate().Select(fault => fault.Property)];
        Assert.Equal(["Ahead"], Faults(new() { Ahead = 0 }));
        Assert.Equal(["Lambda", "Weights"], Faults(new() { Lambda = -1, Weights = [1, 2] }));
        Assert.Equal(["Schedule", "Schedule"], Faults(new() { Schedule = [new() { At = 2, Weights = [] }] }));
        Assert.Equal(["Schedule"], Faults(new() { Lambda = 1, Schedule = [new() { Weights = [1] }] }));
        using var model = new LlamaModel(TinyModel.Config, 1, trainable: true);
        Assert.Contains("Ahead", Assert.Throws<ArgumentException>(() => new MultiTokenObjective { Ahead = 99 }.CreateLoss(model, 1)).Message, StringComparison.Ordinal);
    }
}

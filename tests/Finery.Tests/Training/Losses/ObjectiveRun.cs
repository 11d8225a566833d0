using Finery.Data.Batches;
using Finery.Models;
using Finery.Models.Llama;
using Finery.Tensors;
using Finery.Training;
using Finery.Training.Losses;
using Finery.Training.Losses.Distillation;
using Finery.Training.Optimizers;

namespace Finery.Tests.Training.Losses;

/// <summary>A tiny model under an objective, step by step as the loop does it.</summary>
internal sealed class ObjectiveRun : IDisposable
{
    private readonly AdamW _optimizer;
    private readonly PackedBatch _batch;
    private readonly TemporaryFolder? _folder;

    /// <summary>The folder, where given, goes with the run.</summary>
    public ObjectiveRun(
        TrainingObjective objective, int threads = 1, int microBatches = 1, IBatchSource? source = null, DType type = DType.F32,
        ModelConfig? config = null, LlamaModel? teacher = null, Recompute recompute = Recompute.None,
        TemporaryFolder? folder = null)
    {
        _folder = folder;
        Source = source ?? new PackedExamples(TinyModel.Examples(24), 16, 4, seed: 3);
        Kernels = new CpuKernels(threads);
        Model = new LlamaModel(config ?? TinyModel.Config, seed: 5, trainable: true, type);
        if (teacher is not null)
        {
            using var models = new TemporaryFolder();
            teacher.Save(models.Path);
            Loss = ((DistillationObjective)objective with { Teacher = models.Path }).CreateLoss(Model, seed: 9);
        }
        else
        {
            Loss = objective.CreateLoss(Model, seed: 9);
        }
        Parameters = [.. Model.Parameters, .. Loss.Parameters];
        _optimizer = new AdamW(Parameters, new());
        Pass = Loss.CreatePass(Kernels, Model, Source.Rows / microBatches * Source.Length, recompute);
        _batch = Source.CreateBatch();
    }

    public IBatchSource Source { get; }

    public CpuKernels Kernels { get; }

    public LlamaModel Model { get; }

    public TrainingLoss Loss { get; }

    public TrainingPass Pass { get; }

    public IReadOnlyList<Parameter> Parameters { get; }

    public double[] Figures => Loss.Metrics.ToArray();

    /// <summary>Makes predictions differ from token to token.</summary>
    public ObjectiveRun Enlarged(float factor = 6)
    {
        foreach (var parameter in Parameters)
        {
            if (parameter.Weight.Shape.Length == 1) continue;
            foreach (ref float weight in parameter.Weight.Floats) weight *= factor;
        }
        return this;
    }

    /// <summary>Loss of a step; leaves its gradients.</summary>
    public double Gradients(long step = 0, long totalSteps = 10, PackedBatch? batch = null)
    {
        GradientClipping.Clear(Parameters);
        if (batch is null) Source.Fill(step, batch = _batch);
        Loss.BeginStep(step, step, totalSteps);
        double loss = 0;
        for (int first = 0; first < batch.Count; first += Pass.Tokens) loss += Pass.Run(batch, first);
        return loss;
    }

    /// <summary>What the gradients of a step are of: its loss, and a z-loss that is not reported as part of it.</summary>
    public double Minimised(long step = 0)
    {
        double loss = Gradients(step);
        return Loss.ZLoss > 0 ? loss + Figures[^1] : loss;
    }

    /// <summary>Trains for some steps; returns their losses.</summary>
    public double[] Train(int steps, long totalSteps = 10, double rate = 3e-3)
    {
        var losses = new double[steps];
        for (int step = 0; step < steps; step++)
        {
            losses[step] = Gradients(step, totalSteps);
            double norm = GradientClipping.Norm(Kernels, Parameters);
            _optimizer.Step(Kernels, rate, (float)GradientClipping.Factor(norm, 1));
        }
        return losses;
    }

    public byte[] ModelBytes() => [.. Model.Parameters.SelectMany(parameter => parameter.Weight.Bytes.ToArray())];

    public byte[] AllBytes() => [.. Parameters.SelectMany(parameter => parameter.Weight.Bytes.ToArray())];

    public float[] GradientOf(string name) => Parameters.Single(parameter => parameter.Name == name).Weight.Gradient!.Floats.ToArray();

    /// <summary>Documents one after another in one row.</summary>
    public static PackedBatch Batch(int length, params int[][] documents)
    {
        var batch = new PackedBatch(1, length);
        int at = 0;
        foreach (int[] document in documents)
        {
            document.CopyTo(batch.Ids, at);
            document.AsSpan(1).CopyTo(batch.Targets.AsSpan(at));
            batch.Targets[at + document.Length - 1] = -1;
            batch.SetSegment(at, at += document.Length);
        }
        if (at < length) batch.SetPadding(at, length, 0);
        batch.SetWeights();
        return batch;
    }

    public void Dispose()
    {
        Pass.Dispose();
        _optimizer.Dispose();
        Loss.Dispose();
        Model.Dispose();
        Kernels.Dispose();
        _folder?.Dispose();
    }
}

/// <summary>What every objective must hold.</summary>
internal static class ObjectiveAssert
{
    /// <summary>A step along each parameter's own gradient changes the loss by the gradient's norm.</summary>
    public static void GradientsMatchDifferences(ObjectiveRun run, long step = 0)
    {
        run.Gradients(step);
        float[][] gradients = [.. run.Parameters.Select(parameter => parameter.Weight.Gradient!.Floats.ToArray())];
        for (int p = 0; p < gradients.Length; p++)
        {
            var weight = run.Parameters[p].Weight;
            float[] gradient = gradients[p], kept = weight.Floats.ToArray();
            double norm = Math.Sqrt(gradient.Sum(value => (double)value * value));
            Xunit.Assert.True(norm > 1e-4, $"{run.Parameters[p].Name}: gradient norm {norm}");
            const double Step = 0.01;
            double Shifted(double amount)
            {
                for (int i = 0; i < kept.Length; i++) weight.Floats[i] = (float)(kept[i] + (amount * gradient[i] / norm));
                return run.Minimised(step);
            }
            double slope = ((8 * (Shifted(Step) - Shifted(-Step))) - (Shifted(2 * Step) - Shifted(-2 * Step))) / (12 * Step);
            kept.CopyTo(weight.Floats);
            Xunit.Assert.True(Math.Abs(norm - slope) <= 0.004 * norm + 2e-4, $"{run.Parameters[p].Name}: gradient norm {norm}, slope {slope}");
        }
    }

    /// <summary>Fails unless a loss refuses a teacher; says why it does.</summary>
    public static ArgumentException Refused(DistillationObjective objective, LlamaModel model, LlamaModel teacher)
    {
        using var folder = new TemporaryFolder();
        teacher.Save(folder.Path);
        return Xunit.Assert.Throws<ArgumentException>(() => (objective with { Teacher = folder.Path }).CreateLoss(model, 1));
    }

    /// <summary>Fails if every step allocates on this thread; now and then the runtime makes something for itself.</summary>
    public static void AllocatesNothing(Action step)
    {
        for (int i = 0; i < 3; i++) step();
        var allocated = new long[4];
        for (int i = 0; i < allocated.Length; i++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            step();
            allocated[i] = GC.GetAllocatedBytesForCurrentThread() - before;
        }
        Xunit.Assert.True(allocated.Count(bytes => bytes == 0) >= 2, string.Join(", ", allocated));
    }

    /// <summary>Fails where two lists differ by more than a part of the largest value.</summary>
    public static void Close(float[] expected, float[] actual, double tolerance, string what)
    {
        double scale = Math.Max(1e-6, expected.Max(Math.Abs));
        for (int i = 0; i < expected.Length; i++)
            Xunit.Assert.True(Math.Abs(expected[i] - actual[i]) <= tolerance * scale, $"{what}[{i}]: {actual[i]}, expected {expected[i]} (scale {scale})");
    }

    /// <summary>Loss, figures and gradients of two runs of the same step agree.</summary>
    public static void SameStep(ObjectiveRun expected, ObjectiveRun actual, double tolerance = 1e-5)
    {
        double loss = expected.Gradients(), other = actual.Gradients();
        Xunit.Assert.Equal(loss, other, tolerance * Math.Abs(loss));
        for (int i = 0; i < expected.Figures.Length; i++) Xunit.Assert.Equal(expected.Figures[i], actual.Figures[i], tolerance * (1 + Math.Abs(expected.Figures[i])));
        foreach (var parameter in expected.Parameters)
            Close(parameter.Weight.Gradient!.Floats.ToArray(), actual.GradientOf(parameter.Name), tolerance, parameter.Name);
    }
}

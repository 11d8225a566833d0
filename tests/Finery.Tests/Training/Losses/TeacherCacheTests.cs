using Finery.Data.Batches;
using Finery.Models.Llama;
using Finery.Models.Weights;
using Finery.Tensors;
using Finery.Training.Losses;
using Finery.Training.Losses.Distillation;
using Xunit;

namespace Finery.Tests.Training.Losses;

public class TeacherCacheTests
{
    private const int Steps = 5;

    private static readonly TeacherCacheSettings All = new() { TopK = 29, TopP = 1, StepsPerFile = 2 };

    private static PackedExamples Source(ulong seed = 3) => new(TinyModel.Examples(24), 16, 4, seed);

    private static LlamaModel Teacher(ulong seed = 77)
    {
        var teacher = new LlamaModel(TinyModel.Config with { EmbeddingSize = 24 }, seed, trainable: false);
        foreach (var (_, tensor) in teacher.NamedWeights)
        {
            if (tensor.Shape.Length == 1) continue;
            foreach (ref float weight in tensor.Floats) weight *= 6;
        }
        return teacher;
    }

    private static void Write(string folder, TeacherCacheSettings settings, LlamaModel teacher, IBatchSource? source = null, int threads = 1, long steps = Steps)
    {
        using var kernels = new CpuKernels(threads);
        new TeacherCacheWriter(kernels, teacher, settings).Write([(source ?? Source(), steps)], folder);
    }

    private static string[] Files(string folder) => [.. Directory.GetFiles(folder).Order(StringComparer.Ordinal)];

    // Pretraining reference 11, case 21: top-k = V equals the full divergence.
    [Theory]
    [InlineData(1, false, SafeTensorType.F16, .002)]
    [InlineData(1, true, SafeTensorType.F16, .002)]
    [InlineData(2, false, SafeTensorType.F16, .002)]
    [InlineData(1, false, SafeTensorType.BF16, .02)]
    public void All_tokens_kept_teach_as_the_teacher_itself(double temperature, bool remainder, SafeTensorType type, double tolerance)
    {
        using var folder = new TemporaryFolder();
        using var teacher = Teacher();
        Write(folder.Path, All with { Type = type }, teacher);
        var objective = new DistillationObjective { Alpha = .6, Temperature = temperature };
        using var online = new ObjectiveRun(objective, teacher: teacher).Enlarged();
        using var cached = new ObjectiveRun(objective with { Cache = folder.Path, Remainder = remainder }).Enlarged();
        for (int step = 0; step < 3; step++)
        {
            double expected = online.Gradients(step, Steps), actual = cached.Gradients(step, Steps);
            Assert.Equal(expected, actual, tolerance * expected);
            Assert.Equal(online.Figures[0], cached.Figures[0], 1e-5);
            Assert.Equal(online.Figures[1], cached.Figures[1], tolerance * online.Figures[1]);
            foreach (var parameter in online.Parameters)
                ObjectiveAssert.Close(parameter.Weight.Gradient!.Floats.ToArray(), cached.GradientOf(parameter.Name), 2 * tolerance, parameter.Name);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Gradients_match_finite_differences_of_the_loss(bool remainder)
    {
        using var folder = new TemporaryFolder();
        using var teacher = Teacher();
        Write(folder.Path, new() { TopK = 4, TopP = .8 }, teacher);
        using var run = new ObjectiveRun(new DistillationObjective { Alpha = .7, Cache = folder.Path, Remainder = remainder }).Enlarged();
        run.Gradients(0, Steps);
        // The run is as long as the cache.
        using var other = new ObjectiveRun(new DistillationObjective { Alpha = .7, Cache = folder.Path, Remainder = remainder }, microBatches: 4).Enlarged();
        other.Gradients(0, Steps);
        foreach (var parameter in run.Parameters)
            ObjectiveAssert.Close(parameter.Weight.Gradient!.Floats.ToArray(), other.GradientOf(parameter.Name), 1e-5, parameter.Name);

        float[] gradient = run.GradientOf("model.layers.0.mlp.down_proj.weight");
        var weight = run.Parameters.Single(parameter => parameter.Name == "model.layers.0.mlp.down_proj.weight").Weight;
        double norm = Math.Sqrt(gradient.Sum(value => (double)value * value)), slope = 0;
        float[] kept = weight.Floats.ToArray();
        foreach (int side in (int[])[1, -1])
        {
            for (int i = 0; i < kept.Length; i++) weight.Floats[i] = (float)(kept[i] + side * .01 * gradient[i] / norm);
            slope += side * run.Gradients(0, Steps) / .02;
        }
        Assert.Equal(norm, slope, .01 * norm + 1e-4);
    }

    [Fact]
    public void Without_alpha_a_run_is_the_plain_one_to_the_bit()
    {
        using var folder = new TemporaryFolder();
        using var teacher = Teacher();
        Write(folder.Path, new(), teacher);
        using var plain = new ObjectiveRun(new NextTokenObjective());
        using var cached = new ObjectiveRun(new DistillationObjective { Alpha = 0, Cache = folder.Path });
        Assert.Equal(plain.Train(4, Steps), cached.Train(4, Steps));
        Assert.Equal(plain.ModelBytes(), cached.ModelBytes());
    }

    [Fact]
    public void Threads_change_no_bit_of_a_cache_or_a_run()
    {
        using var one = new TemporaryFolder();
        using var two = new TemporaryFolder();
        using var teacher = Teacher();
        Write(one.Path, new() { StepsPerFile = 2 }, teacher);
        Write(two.Path, new() { StepsPerFile = 2 }, teacher, threads: 2);
        Assert.Equal(Files(one.Path).Select(Path.GetFileName), Files(two.Path).Select(Path.GetFileName));
        foreach (var (a, b) in Files(one.Path).Zip(Files(two.Path))) Assert.Equal(File.ReadAllBytes(a), File.ReadAllBytes(b));

        using var first = new ObjectiveRun(new DistillationObjective { Cache = one.Path });
        using var second = new ObjectiveRun(new DistillationObjective { Cache = two.Path }, threads: 2);
        Assert.Equal(first.Train(4, Steps), second.Train(4, Steps));
        Assert.Equal(first.AllBytes(), second.AllBytes());
    }

    [Fact]
    public void An_interrupted_cache_is_continued_and_damage_is_repaired()
    {
        using var whole = new TemporaryFolder();
        using var folder = new TemporaryFolder();
        using var teacher = Teacher();
        Write(whole.Path, All, teacher);
        using var stop = new CancellationTokenSource();
        using var kernels = new CpuKernels(1);
        var writer = new TeacherCacheWriter(kernels, teacher, All);
        Assert.Throws<OperationCanceledException>(() => writer.Write([(Source(), Steps)], folder.Path, done => { if (done == 3) stop.Cancel(); }, stop.Token));
        string[] left = Files(folder.Path);
        Assert.Equal(["teacher-000000000000.topk"], left.Select(Path.GetFileName));
        Assert.Equal(2, TeacherCache.Open(folder.Path).Steps);
        // What is whole is not written again; what is damaged is.
        var time = File.GetLastWriteTimeUtc(left[0]);
        Write(folder.Path, All, teacher);
        Assert.Equal(time, File.GetLastWriteTimeUtc(left[0]));
        byte[] bytes = File.ReadAllBytes(left[0]);
        bytes[^50] ^= 1;
        File.WriteAllBytes(left[0], bytes);
        using (var spoilt = new ObjectiveRun(new DistillationObjective { Cache = folder.Path }))
            Assert.Contains("damaged", Assert.Throws<InvalidDataException>(() => spoilt.Gradients(0, Steps)).Message, StringComparison.Ordinal);
        Write(folder.Path, All, teacher);
        foreach (var (a, b) in Files(whole.Path).Zip(Files(folder.Path))) Assert.Equal(File.ReadAllBytes(a), File.ReadAllBytes(b));
        // A longer run goes on where the shorter one ended.
        Write(folder.Path, All, teacher, steps: 7);
        using var cache = TeacherCache.Open(folder.Path);
        Assert.Equal(7, cache.Steps);
    }

    [Fact]
    public void A_batch_is_found_wherever_it_is()
    {
        using var folder = new TemporaryFolder();
        using var teacher = Teacher();
        Write(folder.Path, All, teacher);
        var objective = new DistillationObjective { Cache = folder.Path };
        using var one = new ObjectiveRun(objective);
        using var other = new ObjectiveRun(objective);
        var batch = other.Source.CreateBatch();
        foreach (int step in (int[])[4, 0, 3])
        {
            // A repaired run reads batches of later steps.
            other.Source.Fill(step, batch);
            Assert.Equal(one.Gradients(step, Steps), other.Gradients(1, Steps, batch));
        }
    }

    [Fact]
    public void Damaged_and_hostile_files_are_refused()
    {
        using var folder = new TemporaryFolder();
        using var teacher = Teacher();
        Write(folder.Path, All, teacher);
        string path = Files(folder.Path)[1];
        byte[] whole = File.ReadAllBytes(path);
        foreach (var spoil in (Action<byte[]>[])
        [
            bytes => bytes[18] = 0x7F, // steps
            bytes => bytes[22] = 0x7F, // tokens
            bytes => bytes[26] = 0x7F, // entries
            bytes => bytes[0] = 0,
            bytes => bytes[^33] = 0x80, // where the last batch begins
            bytes => bytes[90] ^= 1,
            bytes => bytes[^1] ^= 1,
        ])
        {
            byte[] spoilt = [.. whole];
            spoil(spoilt);
            File.WriteAllBytes(path, spoilt);
            Refused();
        }
        foreach (int length in (int[])[0, 50, 80, 500, whole.Length - 1])
        {
            File.WriteAllBytes(path, whole[..length]);
            Refused();
        }
        void Refused() => Assert.Throws<InvalidDataException>(() =>
        {
            using var run = new ObjectiveRun(new DistillationObjective { Cache = folder.Path });
            for (int step = 0; step < Steps; step++) run.Gradients(step, Steps);
        });
        // Not a crash on the way: every refusal says which file.
        var error = Assert.Throws<InvalidDataException>(() => { using var cache = TeacherCache.Open(folder.Path); Read(cache); });
        Assert.Contains("teacher-", error.Message, StringComparison.Ordinal);

        static void Read(TeacherCache cache)
        {
            var (source, batch) = (Source(), Source().CreateBatch());
            for (int step = 0; step < Steps; step++)
            {
                source.Fill(step, batch);
                cache.Of(batch);
            }
        }
    }

    [Fact]
    public void Other_batches_teachers_and_settings_are_refused()
    {
        using var folder = new TemporaryFolder();
        using var teacher = Teacher();
        using var other = Teacher(78);
        Write(folder.Path, All, teacher);
        using (var run = new ObjectiveRun(new DistillationObjective { Cache = folder.Path }, source: Source(4)))
            Assert.Contains("another batch", Assert.Throws<InvalidDataException>(() => run.Gradients(0, Steps)).Message, StringComparison.Ordinal);
        using (var run = new ObjectiveRun(new DistillationObjective { Cache = folder.Path }))
        {
            Assert.Contains("10 steps", Assert.Throws<ArgumentException>(() => run.Gradients(0, 10)).Message, StringComparison.Ordinal);
            Assert.Throws<ArgumentException>(() => run.Loss.Check(new PackedExamples(TinyModel.Examples(24), 16, 2, seed: 3)));
            run.Loss.Check(run.Source);
        }
        Assert.Throws<InvalidDataException>(() => Write(folder.Path, All, other));
        Assert.Throws<InvalidDataException>(() => Write(folder.Path, All with { TopK = 3 }, teacher));
        Assert.Throws<InvalidDataException>(() => Write(folder.Path, All, teacher, Source(4)));
        File.Delete(Files(folder.Path)[0]);
        Assert.Contains("missing", Assert.Throws<InvalidDataException>(() => TeacherCache.Open(folder.Path)).Message, StringComparison.Ordinal);
        File.WriteAllText(Path.Combine(folder.Path, "teacher-000000000000.topk"), "something else");
        Assert.Throws<InvalidDataException>(() => TeacherCache.Open(folder.Path));
        using var empty = new TemporaryFolder();
        Assert.Throws<InvalidDataException>(() => TeacherCache.Open(empty.Path));
    }

    [Fact]
    public void Likeliest_tokens_are_cut_by_probability_then_by_number()
    {
        float[] logits = [MathF.Log(.1f), MathF.Log(.4f), MathF.Log(.2f), MathF.Log(.1f), MathF.Log(.2f)];
        (int[] Ids, float[] Logs) Select(int k, double p)
        {
            var (ids, logs) = (new int[k], new float[k]);
            int count = LikeliestTokens.Select(logits, p, ids, logs);
            return (ids[..count], logs[..count]);
        }
        Assert.Equal([1], Select(5, .4).Ids);
        Assert.Equal([1, 2], Select(5, .5).Ids);
        Assert.Equal([1, 2, 4], Select(5, .75).Ids);
        Assert.Equal([1, 2], Select(2, .75).Ids);
        Assert.Equal([1, 2, 4, 0, 3], Select(5, 1).Ids);
        Assert.Equal([1, 2, 4, 0], Select(4, 1).Ids);
        Assert.All(Select(5, 1).Logs.Zip([.4, .2, .2, .1, .1]), pair => Assert.Equal(Math.Log(pair.Second), pair.First, 1e-6));
        Assert.Throws<InvalidDataException>(() => LikeliestTokens.Select([1, float.NaN], 1, new int[2], new float[2]));
    }

    [Fact]
    public void A_step_allocates_nothing()
    {
        using var folder = new TemporaryFolder();
        using var teacher = Teacher();
        Write(folder.Path, new(), teacher);
        using var run = new ObjectiveRun(new DistillationObjective { Cache = folder.Path });
        ObjectiveAssert.AllocatesNothing(() => run.Gradients(0, Steps));
    }

    [Fact]
    public void Wrong_settings_are_all_reported()
    {
        using var kernels = new CpuKernels(1);
        using var teacher = Teacher();
        var error = Assert.Throws<ArgumentException>(() => new TeacherCacheWriter(
            kernels, teacher, new() { TopK = 0, TopP = 0, Type = SafeTensorType.F32, StepsPerFile = 0 }));
        foreach (string part in (string[])["TopK", "TopP", "Type", "StepsPerFile"]) Assert.Contains(part, error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => Write("unused", All, teacher, new PackedExamples(TinyModel.Examples(24), 64, 1, seed: 1)));
    }
}

using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Diagnostics;
using System.Globalization;
using Finery.Data.Batches.Mixing;
using Finery.Data.Tokenizers;
using Finery.Models;
using Finery.Models.Llama;
using Finery.Tensors;
using Finery.Training.Losses.Distillation;

namespace Finery.Workflow.Steps;

/// <summary>Runs a teacher once over the batches that <see cref="PretrainStep"/> steps will read, and keeps its likeliest tokens of every
/// position (pretraining reference 4.2): they learn from those without running it. The steps take all that makes batches from here,
/// the seed included.</summary>
[Description("Keep a teacher's likeliest tokens of the batches of pretraining, to learn from without running it")]
public sealed record CacheTeacherStep : BatchedStep
{
    // A run is rolled back three times at most, unless its settings say otherwise; each time it leaves out a twentieth of its batches or some
    // more, of a long run a hundred, and reads as many behind its last.
    private const int SpareShare = 5, LeastSpare = 30, MostSpare = 300;

    /// <summary>The model to learn from.</summary>
    [Input(ArtifactKind.Model), Description("model to learn from")]
    public required Artifact Teacher { get; init; }

    /// <summary>What is kept of a position.</summary>
    [Description("what is kept of every position: top_k, top_p, type (f16, bf16), steps_per_file")]
    public TeacherCacheSettings Keep { get; init; } = new();

    /// <summary>Steps behind the last, for a repaired run that left batches out.</summary>
    [Description("steps behind the last, for a run that leaves batches out when it is repaired; default a fifth of the steps, 30 to 300"), Range(0, int.MaxValue)]
    public long? SpareSteps { get; init; }

    /// <summary>How the teacher is stored.</summary>
    [Description("storage of the teacher's weights and activations")]
    public Precision Precision { get; init; } = Precision.F32;

    /// <inheritdoc/>
    public override IReadOnlyList<StepOutput> Outputs => [new("cache", ArtifactKind.TeacherCache)];

    /// <inheritdoc/>
    public override void Run(StepContext context)
    {
        var tokenizer = TokenizerFile.Load(Tokenizer.Path);
        using var sources = new TokenSources(Tokens, tokenizer.Fingerprint);
        var plan = BatchesOf(sources, Plan is null ? null : TrainingPlan.Load(Plan), context.Seed);
        var batches = plan.Of(sources);
        Check(tokenizer, batches.Schedule);
        using var kernels = new CpuKernels(context.Threads);
        using var teacher = LlamaModel.Load(Teacher.Path, trainable: false, Precision.Type());
        context.Log($"{ModelShape.Of(teacher.Config)}: {teacher.Config.ParameterCount:N0} parameters");
        // What an interrupted attempt may continue is state; it becomes the output when it is whole.
        string folder = Path.Combine(context.StateFolder, Outputs[0].Name);
        plan.Save(folder, batches);

        var schedule = batches.Schedule;
        long spare = SpareSteps ?? Math.Clamp(schedule.Steps / SpareShare, LeastSpare, MostSpare), total = schedule.Steps + spare, started = -1;
        long start = Stopwatch.GetTimestamp();
        new TeacherCacheWriter(kernels, teacher, Keep).Write(
            [.. schedule.Phases.Select((phase, i) => (batches.Phase(i), phase.Steps + (i == schedule.Phases.Count - 1 ? spare : 0)))],
            folder,
            done =>
            {
                if (started < 0) (started, start) = (done, Stopwatch.GetTimestamp());
                double tokens = schedule.TokensBefore(done) - schedule.TokensBefore(started);
                double rate = tokens / Stopwatch.GetElapsedTime(start).TotalSeconds;
                context.Progress(done, total, tokens == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"{rate:N0} tokens/s"));
            },
            context.Stop);
        Directory.Move(folder, context.Output(Outputs[0].Name));
        long bytes = Directory.GetFiles(context.Output(Outputs[0].Name)).Sum(file => new FileInfo(file).Length);
        context.Summary["steps"] = total;
        context.Summary["tokens"] = schedule.TokensBefore(total);
        context.Summary["bytes"] = bytes;
        context.Log(string.Create(CultureInfo.InvariantCulture,
            $"{total:N0} steps, {schedule.TokensBefore(total):N0} tokens, {bytes / (double)schedule.TokensBefore(total):F0} bytes a token"));
    }

    /// <summary>Fails before anything is computed where the teacher cannot read the batches.</summary>
    private void Check(Tokenizer tokenizer, DataSchedule schedule)
    {
        var config = ModelConfig.Load(Teacher.Path);
        if (config.VocabSize != tokenizer.VocabSize || TokenizerFile.Load(Teacher.Path).Fingerprint != tokenizer.Fingerprint)
        {
            throw new RecipeException(
                $"the teacher {Teacher.Path} has another vocabulary ({config.VocabSize} tokens) than the tokenizer {Tokenizer.Path} ({tokenizer.VocabSize}): a model learns from a teacher of its own tokens only.");
        }
        int longest = schedule.Phases.Max(phase => phase.Length);
        if (longest > config.SequenceLength)
            throw new RecipeException($"rows have {longest} tokens, the teacher {Teacher.Path} reads {config.SequenceLength}.");
    }
}

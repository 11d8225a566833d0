using Finery.Data.Batches;
using Finery.Data.Batches.Mixing;
using Finery.Data.Tokenizers;
using Finery.Data.Writers;
using Finery.Models.Llama;
using Finery.Tensors;
using Finery.Training;
using Finery.Training.Optimizers;
using Finery.Training.Schedules;

namespace Finery.Workflow.Steps;

/// <summary>What <see cref="PretrainStep"/> does: turns its settings into a model, phases of batches and a training run.</summary>
internal sealed class Pretraining(PretrainStep step, StepContext context)
{
    private readonly TrainingPlan? _plan = step.Plan is null ? null : TrainingPlan.Load(step.Plan);

    public void Run()
    {
        var tokenizer = TokenizerFile.Load(step.Tokenizer.Path);
        using var sources = new TokenSources(step.Tokens, tokenizer.Fingerprint);
        var batches = Mix(sources);
        if (sources.Names.Count > 1 || batches.Schedule.Phases.Count > 1)
            AtomicFile.WriteText(context.Output(MixSummary.FileName), batches.Summarize().ToJson());
        Train(tokenizer, batches);
    }

    private void Train(Tokenizer tokenizer, MixedBatches batches)
    {
        var schedule = batches.Schedule;
        using var kernels = new CpuKernels(context.Threads);
        using var model = CreateModel(tokenizer, schedule);
        context.Log($"{ModelShape.Of(model.Config)}: {model.Config.ParameterCount:N0} parameters");
        using var heldOut = step.Validation is null ? null : TokenShards.Open(step.Validation.Path, tokenizer.Fingerprint);
        using var loss = RecipeException.Checked(() => step.WholeObjective.CreateLoss(model, context.Seed));
        var optimizer = (step.Optimizer ?? new AdamWOptimizerSettings()).ForMaximalUpdate(model.Config);
        double? peak = step.LearningRate ?? _plan?.LearningRate;
        var rates = step.Schedule is { } given ? given with { Peak = peak ?? given.Peak }
            : TrainingOptions.DefaultSchedule(peak ?? 3e-3, schedule.Steps);
        new TrainingRun(context, model, kernels, new()
        {
            Schedule = rates,
            Optimizer = optimizer,
            Clip = step.Clip,
            Objective = step.WholeObjective,
            Repair = step.Repair,
            Monitoring = step.Monitoring,
            Faults = step.Faults,
            Recompute = step.Recompute,
            CheckpointSeconds = step.CheckpointSeconds,
            HealthyEvery = step.HealthyEvery,
            Retention = step.Retention,
            Validation = heldOut is null ? null : new ValidationLoss(heldOut, step.ValidationTokens),
            ValidationEvery = step.ValidationEvery,
            Sources = schedule.Sources,
            Average = step.Average,
            PeakFlops = _plan?.PeakFlops ?? 0,
        }).Run(Phases(batches), loss, tokenizer, "pretrain");
    }

    private LlamaModel CreateModel(Tokenizer tokenizer, DataSchedule schedule)
    {
        int longest = schedule.Phases.Max(phase => phase.Length);
        var type = step.Precision.Type();
        if (step.From is { } from)
        {
            var model = LlamaModel.Load(from.Path, trainable: true, type);
            if (model.Config.VocabSize != tokenizer.VocabSize)
                throw new RecipeException($"{from.Path} has a vocabulary of {model.Config.VocabSize}, the tokenizer one of {tokenizer.VocabSize}.");
            if (longest > model.Config.SequenceLength) model.ChangeContext(longest, model.Config.RopeTheta, model.Config.RopeScaling);
            return model;
        }
        var config = (step.Model ?? _plan?.Model ?? new ModelShape()).ToConfig(tokenizer.VocabSize, longest, tokenizer.BosId, tokenizer.EosId);
        TrainingRun.RequireMemory(RecipeException.Checked(() => MemoryEstimate.OfTraining(
            config, (int)(schedule.Phases.Max(phase => phase.TokensPerStep) / step.MicroBatches), step.Recompute, type, step.Optimizer,
            context.Threads)), step.Recompute);
        return RecipeException.Checked(() => new LlamaModel(config, context.Seed, trainable: true, type, step.Initialization));
    }

    /// <summary>The batches of the run: those a teacher cache is of, where there is one.</summary>
    private MixedBatches Mix(TokenSources sources)
    {
        var cached = step.TeacherCache is null ? null : BatchPlan.Load(step.TeacherCache);
        var plan = step.BatchesOf(sources, _plan, context.Seed, cached);
        var batches = plan.Of(sources);
        cached?.Require(plan, batches);
        return batches;
    }

    private List<TrainingPhase> Phases(MixedBatches batches)
    {
        var schedule = batches.Schedule;
        var phases = new List<TrainingPhase>();
        for (int i = 0; i < schedule.Phases.Count; i++)
        {
            var phase = schedule.Phases[i];
            var stage = step.Stages.Count == 0 ? null : step.Stages[phase.Stage];
            bool begins = i == 0 || schedule.Phases[i - 1].Stage != phase.Stage;
            var ofStage = schedule.Phases.Where(other => other.Stage == phase.Stage);
            phases.Add(new()
            {
                Name = stage?.Name ?? "",
                Steps = phase.Steps,
                Source = batches.Phase(i),
                MicroBatches = step.MicroBatches,
                RopeTheta = begins ? stage?.RopeTheta : null,
                OptimizerState = begins && stage is not null ? stage.OptimizerState : OptimizerStatePolicy.Keep,
                Schedule = stage?.Schedule is { } own ? new(own, ofStage.First().FirstStep, ofStage.Sum(other => other.Steps)) : null,
                RateScale = step.ScaleRateWithBatch ? BatchScaling.AdamRate(schedule.Phases[0].TokensPerStep, phase.TokensPerStep) : 1,
            });
        }
        return phases;
    }
}

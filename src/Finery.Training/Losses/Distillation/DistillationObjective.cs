using System.ComponentModel;
using System.Globalization;
using Finery.Models;
using Finery.Models.Llama;
using Finery.Tensors;

namespace Finery.Training.Losses.Distillation;

/// <summary>
/// Distillation while pretraining (pretraining reference 4.2): <c>(1 - alpha) CE + alpha tau^2 D(teacher, model)</c>, means over all
/// targets of the step. The teacher is another model of the same vocabulary and any shape, or what a
/// <see cref="TeacherCacheWriter"/> kept of it.
/// </summary>
public sealed record DistillationObjective : TrainingObjective
{
    /// <summary>Folder of the teacher; this or <see cref="Cache"/>.</summary>
    [Description("folder of the teacher")]
    public string? Teacher { get; init; }

    /// <summary>Folder of the teacher's likeliest tokens of every batch, in order of steps.</summary>
    [Description("folder of a cache of the teacher's likeliest tokens")]
    public string? Cache { get; init; }

    /// <summary>Weight of the divergence; the cross-entropy has the rest.</summary>
    [Description("weight of the divergence; the cross-entropy has the rest")]
    public double Alpha { get; init; } = 0.5;

    /// <summary>Alpha over the run, instead of <see cref="Alpha"/>: points of one weight each.</summary>
    [Description("alpha over the run: points of one weight")]
    public IReadOnlyList<WeightPoint>? Schedule { get; init; }

    /// <summary>Which divergence; a cache has the forward one only.</summary>
    [Description("which divergence from the teacher")]
    public Divergence Divergence { get; init; }

    /// <summary>tau: both distributions are the softmax of logits over tau.</summary>
    [Description("both softmaxes are of logits over this")]
    public double Temperature { get; init; } = 1;

    /// <summary>Of a cache: compares what its tokens leave over as one bucket (at temperature 1), where otherwise their probabilities are
    /// scaled to add up to 1.</summary>
    [Description("compare what the cached tokens leave over as one bucket")]
    public bool Remainder { get; init; }

    /// <summary>Hidden states to match too; null for none.</summary>
    [Description("hidden states to match too")]
    public FeatureMatching? Features { get; init; }

    /// <summary>Attention to match too; null for none.</summary>
    [Description("attention to match too")]
    public AttentionMatching? Attention { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<(string Property, string Message)> Validate() => Teacher is not null && Cache is not null
        ? Faults().Prepend((nameof(Teacher), "give 'teacher' or 'cache', and not both."))
        : Faults();

    /// <summary>Alpha of a step: a function of the step alone.</summary>
    internal double AlphaAt(long step, long totalSteps) =>
        Schedule is null ? Alpha : WeightPoint.Of(Schedule, 0, step / (double)totalSteps);

    /// <summary>All that decides results but the teacher, in words.</summary>
    internal string Description
    {
        get
        {
            string alpha = Schedule is null ? WeightPoint.Describe([Alpha]) : WeightPoint.Describe(Schedule);
            string what = string.Create(CultureInfo.InvariantCulture, $"distillation {Divergence} tau={Temperature:R} alpha={alpha}");
            string matching = string.Concat(((LayerMatching?[])[Features, Attention]).Select(part => part is null ? "" : " " + part.Description));
            return what + (Remainder ? " remainder" : "") + matching;
        }
    }

    private protected override TrainingLoss Create(LlamaModel model, ulong seed)
    {
        if (Cache is not null) return new CachedDistillationLoss(this, model, TeacherCache.Open(Cache));
        if (Teacher is null) throw new ArgumentException("Objective: distillation needs a 'teacher' or a 'cache'.");
        var teacher = model.IsOutline
            ? LlamaModel.Outline(ModelConfig.Load(Teacher), trainable: false, model.WeightType)
            : LlamaModel.Load(Teacher, trainable: false, model.WeightType);
        try
        {
            return new DistillationLoss(this, model, teacher, seed);
        }
        catch
        {
            teacher.Dispose();
            throw;
        }
    }

    private IEnumerable<(string Property, string Message)> Faults()
    {
        foreach (var fault in base.Validate()) yield return fault;
        if (!(Alpha is >= 0 and <= 1)) yield return (nameof(Alpha), $"{Alpha}; expected 0 to 1.");
        if (!(Temperature > 0 && double.IsFinite(Temperature))) yield return (nameof(Temperature), $"{Temperature} must be positive.");
        if (Schedule is not null)
        {
            if (Schedule.Count == 0) yield return (nameof(Schedule), "it has no points.");
            foreach (string fault in WeightPoint.Faults(Schedule, 1)) yield return (nameof(Schedule), fault);
            if (Schedule.Any(point => point.Weights.Any(weight => weight > 1))) yield return (nameof(Schedule), "alpha is at most 1.");
        }
        if (Cache is not null && Divergence != Divergence.Forward)
            yield return (nameof(Divergence), $"{Divergence} needs all of the teacher's probabilities; a cache has the forward divergence only.");
        if (Cache is not null && Features is not null) yield return (nameof(Features), "hidden states need the teacher itself: give 'teacher'.");
        if (Cache is not null && Attention is not null) yield return (nameof(Attention), "attention needs the teacher itself: give 'teacher'.");
        if (Remainder && Teacher is not null) yield return (nameof(Remainder), "only a cache leaves anything over.");
        if (Remainder && Temperature != 1)
            yield return (nameof(Remainder), $"it needs temperature 1, not {Temperature}: what is left over is known at 1 only.");
        foreach (string fault in Features?.Faults() ?? []) yield return (nameof(Features), fault);
        foreach (string fault in Attention?.Faults() ?? []) yield return (nameof(Attention), fault);
    }
}

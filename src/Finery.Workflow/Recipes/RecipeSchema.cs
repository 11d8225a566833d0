using Finery.Data.Curation;
using Finery.Data.Filters;
using Finery.Training.Losses;
using Finery.Training.Optimizers;
using Finery.Training.Schedules;
using Finery.Workflow.Steps;

namespace Finery.Workflow.Recipes;

/// <summary>What recipes can name.</summary>
/// <param name="Steps">Step types by name.</param>
/// <param name="Families">Settings that come in several kinds.</param>
public sealed record RecipeSchema(IReadOnlyDictionary<string, Type> Steps, IReadOnlyList<SettingsFamily> Families)
{
    /// <summary>All that Finery has.</summary>
    public static RecipeSchema Default { get; } =
        new(StepCatalogue.Steps,
        [
            new(typeof(DocumentFilter), "filter", FilterCatalogue.Filters),
            new(typeof(CurationStage), "stage", StageCatalogue.Stages),
            new(typeof(TrainingObjective), "objective", ObjectiveCatalogue.Objectives),
            new(typeof(OptimizerSettings), "optimizer", OptimizerCatalogue.Optimizers),
            new(typeof(GradientClip), "clip", ClipCatalogue.Clips),
            new(typeof(LearningRateSchedule), "schedule", ScheduleCatalogue.Schedules),
        ]);

    internal SettingsFamily? FamilyOf(Type type) => Families.FirstOrDefault(family => family.Root == type);
}

/// <summary>Settings records with a common abstract type, told apart by the value of one key.</summary>
/// <param name="Root">The common type.</param>
/// <param name="Discriminator">The key, such as <c>filter</c>.</param>
/// <param name="Members">Record types by the value of that key.</param>
public sealed record SettingsFamily(Type Root, string Discriminator, IReadOnlyDictionary<string, Type> Members);

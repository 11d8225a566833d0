namespace Finery.Workflow.Steps;

/// <summary>Every step by the name that recipes and the command line use.</summary>
public static class StepCatalogue
{
    /// <summary>Name to record type.</summary>
    public static IReadOnlyDictionary<string, Type> Steps { get; } = new Dictionary<string, Type>
    {
        ["read"] = typeof(ReadStep),
        ["filter"] = typeof(FilterStep),
        ["deduplicate"] = typeof(DeduplicateStep),
        ["curate"] = typeof(CurateStep),
        ["split"] = typeof(SplitStep),
        ["train-tokenizer"] = typeof(TrainTokenizerStep),
        ["tokenize"] = typeof(TokenizeStep),
        ["plan"] = typeof(PlanStep),
        ["dialogues"] = typeof(DialoguesStep),
        ["cache-teacher"] = typeof(CacheTeacherStep),
        ["pretrain"] = typeof(PretrainStep),
        ["extend-context"] = typeof(ExtendContextStep),
        ["finetune"] = typeof(FinetuneStep),
        ["align"] = typeof(AlignStep),
        ["average"] = typeof(AverageStep),
        ["evaluate"] = typeof(EvaluateStep),
    };
}

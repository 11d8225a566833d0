namespace Finery.Data.Filters.Decontamination;

/// <summary>Evaluation data whose text must not be trained on: JSON lines, plain or <c>.gz</c>, an example on each.</summary>
public sealed record EvaluationData
{
    /// <summary>Name of the task; empty for the file's name up to its first dot.</summary>
    public string Task { get; init; } = "";

    /// <summary>Files or globs.</summary>
    public IReadOnlyList<string> Paths { get; init; } = [];

    /// <summary>Key of the answer: a text, or a list of them.</summary>
    public string LabelKey { get; init; } = "answer";

    /// <summary>Key of the question; empty to do without.</summary>
    public string QueryKey { get; init; } = "question";
}

namespace Finery.Workflow.Runs;

/// <summary>A row of <c>events.jsonl</c>: something that happened in a step and belongs on its charts, such as a repair or an alert.</summary>
/// <param name="Step">Training step it happened at.</param>
/// <param name="Kind">What it is: <c>alert</c>, or the rung of a repair in snake_case (<c>spike</c>, <c>rollback</c>, ...).</param>
/// <param name="Text">In words, one line.</param>
/// <param name="Changes">What is different since.</param>
public sealed record EventRow(long Step, string Kind, string Text, IReadOnlyList<EventChange> Changes);

/// <summary>A value that changed.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Before">Value before.</param>
/// <param name="After">Value after.</param>
public sealed record EventChange(string Name, double Before, double After);

using System.Text.Json.Nodes;

namespace Finery.Data.Filters;

/// <summary>How a rule compares.</summary>
public enum RuleKind
{
    /// <summary>Dropped if the value is greater than the threshold.</summary>
    AtMost,

    /// <summary>Dropped if the value is less than the threshold.</summary>
    AtLeast,

    /// <summary>Dropped if the value is not zero; there is no threshold.</summary>
    Condition,

    /// <summary>Nothing is judged: the value tells what a filter did.</summary>
    Statistic,
}

/// <summary>One rule's measured value beside its threshold.</summary>
/// <param name="Rule">Reason a document is dropped for by it.</param>
/// <param name="Value">What was measured; 1 or 0 for a condition.</param>
/// <param name="Threshold">The limit; a value equal to it passes.</param>
/// <param name="Kind">How they compare.</param>
/// <param name="Failed">Whether the document is dropped by it.</param>
public readonly record struct Measurement(string Rule, double Value, double Threshold, RuleKind Kind, bool Failed);

/// <summary>
/// A document on its way through filters, on one thread: text, metadata, what was measured, and what became of it. Views of the
/// text (words, lines) are computed once and shared by the filters that follow one another, until one of them rewrites it.
/// </summary>
public sealed class WorkingDocument
{
    private Document _document = null!;
    private bool _ownsMetadata;

    /// <summary>One for a single document.</summary>
    public WorkingDocument(Document document) => Start(document);

    /// <summary>One to be reused: <see cref="Start"/> before each document.</summary>
    public WorkingDocument()
    {
    }

    /// <summary>Is told every measurement; null to do without.</summary>
    public Action<Measurement>? Observer { get; init; }

    /// <summary>Whether rules after the first that fails are measured too, as for an explanation. <see cref="Reason"/> stays
    /// the first.</summary>
    public bool MeasureAll { get; init; }

    /// <summary>The document as it stands.</summary>
    public Document Document => _document;

    /// <summary>Its text as it stands.</summary>
    public string Text => _document.Text;

    /// <summary>Why it is dropped; null while it is kept.</summary>
    public string? Reason { get; private set; }

    /// <summary>How often a kept document is written: 1 unless a stage repeats it; 0 leaves it out without a reason.</summary>
    public int Copies { get; set; } = 1;

    /// <summary>Words, lines and sentences of the text as it stands.</summary>
    internal TextView View { get; } = new();

    /// <summary>Goes on to another document.</summary>
    public void Start(Document document)
    {
        _document = document;
        _ownsMetadata = false;
        Reason = null;
        Copies = 1;
        View.Reset(document.Text);
    }

    /// <summary>Replaces the text.</summary>
    public void Rewrite(string text)
    {
        if (ReferenceEquals(text, _document.Text))
            return;
        _document = _document with { Text = text };
        View.Reset(text);
    }

    /// <summary>Sets a metadata value; the document given stays as it was.</summary>
    public void SetMetadata(string key, JsonNode? value)
    {
        if (!_ownsMetadata)
        {
            _document = _document with { Metadata = (JsonObject)_document.Metadata.DeepClone() };
            _ownsMetadata = true;
        }
        _document.Metadata[key] = value;
    }

    /// <summary>A metadata text; null if there is none.</summary>
    public string? GetMetadata(string key) =>
        _document.Metadata[key] is JsonValue value && value.TryGetValue(out string? text) ? text : null;

    /// <summary>Drops the document.</summary>
    /// <returns>Whether to stop here.</returns>
    public bool Reject(string reason) => Record(new(reason, 1, 0, RuleKind.Condition, true));

    /// <summary>Drops the document on a condition, which is recorded either way.</summary>
    /// <inheritdoc cref="Reject"/>
    public bool RejectIf(string rule, bool condition) => Record(new(rule, condition ? 1 : 0, 0, RuleKind.Condition, condition));

    /// <summary>Drops the document if a value is greater than a threshold.</summary>
    /// <inheritdoc cref="Reject"/>
    public bool RejectAbove(string rule, double value, double threshold) =>
        Record(new(rule, value, threshold, RuleKind.AtMost, value > threshold));

    /// <summary>Drops the document if a value is less than a threshold.</summary>
    /// <inheritdoc cref="Reject"/>
    public bool RejectBelow(string rule, double value, double threshold) =>
        Record(new(rule, value, threshold, RuleKind.AtLeast, value < threshold));

    /// <summary>Tells the observer a number that no rule judges, such as how many lines were left out.</summary>
    public void Measure(string name, double value)
    {
        if (Observer is not null)
            Record(new(name, value, 0, RuleKind.Statistic, false));
    }

    private bool Record(Measurement measurement)
    {
        Observer?.Invoke(measurement);
        if (measurement.Failed)
            Reason ??= measurement.Rule;
        return measurement.Failed && !MeasureAll;
    }
}

namespace Finery.Data.Batches.Mixing;

/// <summary>What a stage of a run reads: which sources in which shares, and the shape of its batches. What is not given stays
/// as it was at the end of the stage before.</summary>
public sealed record StageData
{
    /// <summary>Weight of each source by its name; they need not sum to 1. A source that is not named has weight 0. Empty: as
    /// before.</summary>
    public IReadOnlyDictionary<string, double> Mix { get; init; } = new Dictionary<string, double>();

    /// <summary>Rows of a step at the start of the stage.</summary>
    public int? Rows { get; init; }

    /// <summary>Tokens of a row at the start of the stage.</summary>
    public int? SequenceLength { get; init; }

    /// <summary>Changes of the batch's shape within the stage, in order.</summary>
    public IReadOnlyList<RampStep> Ramp { get; init; } = [];

    /// <summary>Faults that can be seen without knowing the sources.</summary>
    public IEnumerable<(string Property, string Message)> Validate()
    {
        foreach (var (name, weight) in Mix)
        {
            if (!(weight >= 0 && double.IsFinite(weight)))
                yield return (nameof(Mix), $"the weight of '{name}' is {weight}; it must be a finite number of at least 0.");
        }
        if (Mix.Count > 0 && Mix.Values.All(weight => weight == 0))
            yield return (nameof(Mix), "every weight is 0; at least one source must have more.");
        foreach (var fault in ShapeFaults(Rows, SequenceLength)) yield return fault;
        long last = 0;
        foreach (RampStep step in Ramp)
        {
            if (step.AfterTokens <= last)
                yield return (nameof(Ramp), $"after_tokens {step.AfterTokens} must be more than {last}, the one before.");
            if (step.Rows is null && step.SequenceLength is null)
                yield return (nameof(Ramp), $"the change after {step.AfterTokens} tokens names neither rows nor sequence_length.");
            foreach (var (_, message) in ShapeFaults(step.Rows, step.SequenceLength)) yield return (nameof(Ramp), message);
            last = Math.Max(last, step.AfterTokens);
        }
    }

    private static IEnumerable<(string Property, string Message)> ShapeFaults(int? rows, int? length)
    {
        if (rows < 1) yield return (nameof(Rows), $"rows is {rows}; a batch needs at least one.");
        if (length < 2)
            yield return (nameof(SequenceLength), $"sequence_length is {length}; a row needs two tokens, one to predict the other.");
    }
}

/// <summary>A change of the batch's shape.</summary>
public sealed record RampStep
{
    /// <summary>Tokens of the stage after which it comes: at the end of the step that reaches them.</summary>
    public required long AfterTokens { get; init; }

    /// <summary>Rows of a step from then on; null leaves them.</summary>
    public int? Rows { get; init; }

    /// <summary>Tokens of a row from then on; null leaves them.</summary>
    public int? SequenceLength { get; init; }
}

/// <summary>A stage and how long it lasts: so many steps, or to the end of the step that reaches so many tokens.</summary>
public sealed record DataStage
{
    /// <summary>How messages and summaries call it.</summary>
    public required string Name { get; init; }

    /// <summary>What it reads.</summary>
    public StageData Data { get; init; } = new();

    /// <summary>Optimizer steps; exactly one of this and <see cref="Tokens"/> is given.</summary>
    public long? Steps { get; init; }

    /// <summary>Tokens of all rows, padding included.</summary>
    public long? Tokens { get; init; }
}

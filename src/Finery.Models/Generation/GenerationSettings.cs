namespace Finery.Models.Generation;

/// <summary>Why a generation ended.</summary>
public enum FinishReason
{
    /// <summary>It has not: still running, or its consumer stopped early.</summary>
    None,

    /// <summary>The model produced a stop token.</summary>
    Stop,

    /// <summary><see cref="GenerationSettings.MaxTokens"/> were produced.</summary>
    Length,

    /// <summary>The context is full.</summary>
    Context,
}

/// <summary>How the next token is chosen. The order is penalties, temperature, top-k, top-p, draw.</summary>
public sealed record GenerationSettings
{
    /// <summary>Temperatures below this choose the most likely token, ties the lowest id.</summary>
    public const float GreedyTemperature = 1e-5f;

    /// <summary>Always the most likely token.</summary>
    public static GenerationSettings Greedy { get; } = new() { Temperature = 0 };

    /// <summary>Most tokens to produce.</summary>
    public int MaxTokens { get; init; } = 256;

    /// <summary>Divides the logits; 0 is greedy.</summary>
    public float Temperature { get; init; } = 0.8f;

    /// <summary>Keeps this many most likely tokens; 0 keeps all.</summary>
    public int TopK { get; init; } = 40;

    /// <summary>Keeps the smallest set of most likely tokens whose probability reaches this, the crossing token included;
    /// 1 keeps all.</summary>
    public float TopP { get; init; } = 0.95f;

    /// <summary>Each distinct token seen before has a positive logit divided, a negative one multiplied by this; 1
    /// changes nothing.</summary>
    public float RepetitionPenalty { get; init; } = 1;

    /// <summary>The same seed, prompt and model give the same text.</summary>
    public ulong Seed { get; init; }

    /// <summary>Everything wrong with these settings.</summary>
    public IReadOnlyList<string> Validate()
    {
        var errors = new List<string>();
        if (MaxTokens < 0) errors.Add($"max tokens {MaxTokens} must not be negative.");
        if (!(Temperature >= 0 && float.IsFinite(Temperature)))
            errors.Add($"temperature {Temperature} must be at least 0 and finite.");
        if (TopK < 0) errors.Add($"top-k {TopK} must not be negative (0 keeps all).");
        if (!(TopP > 0 && TopP <= 1)) errors.Add($"top-p {TopP} must be above 0 and at most 1.");
        if (!(RepetitionPenalty > 0 && float.IsFinite(RepetitionPenalty)))
            errors.Add($"repetition penalty {RepetitionPenalty} must be positive and finite.");
        return errors;
    }

    /// <summary>Throws unless <see cref="Validate"/> finds nothing.</summary>
    /// <exception cref="ArgumentException">All errors, joined.</exception>
    public void ThrowIfInvalid()
    {
        var errors = Validate();
        if (errors.Count > 0) throw new ArgumentException("Generation settings: " + string.Join(" ", errors));
    }
}

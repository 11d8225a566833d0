namespace Finery.Workflow.Steps;

/// <summary>What a step consumes or produces. Names are persisted in recipes and run folders and never change.</summary>
public enum ArtifactKind
{
    /// <summary>A folder of JSON Lines documents (<c>*.jsonl.gz</c>).</summary>
    Documents,

    /// <summary>A folder with <c>tokenizer.json</c> and <c>tokenizer_config.json</c>.</summary>
    Tokenizer,

    /// <summary>A folder of token shards.</summary>
    Tokens,

    /// <summary>A <c>plan.json</c>: model shape, token counts and learning rates chosen for a time budget.</summary>
    Plan,

    /// <summary>A Hugging Face model folder: <c>config.json</c>, safetensors, tokenizer.</summary>
    Model,

    /// <summary>A JSON Lines file of chats to imitate.</summary>
    Conversations,

    /// <summary>A JSON Lines file of prompts with a chosen and a rejected answer.</summary>
    Preferences,

    /// <summary>A JSON Lines file of multiple-choice questions.</summary>
    Questions,

    /// <summary>An <c>evaluation.json</c>: metrics with standard errors, samples.</summary>
    Evaluation,

    /// <summary>A folder with a teacher's likeliest tokens of the batches of a run, and <c>batches.json</c>, which says how those are
    /// made.</summary>
    TeacherCache,
}

/// <summary>A typed path: the output of an earlier step, or something that exists already.</summary>
/// <param name="Kind">What is there.</param>
/// <param name="Path">Full path of the file or folder.</param>
/// <param name="Producer">Name of the step of this recipe that writes it; null for a path outside the recipe.</param>
public sealed record Artifact(ArtifactKind Kind, string Path, string? Producer = null);

/// <summary>Marks a property of type <see cref="Artifact"/> (or a list of them) as an input of the given kind. In a recipe its value is
/// <c>step</c>, <c>step.output</c>, or a path (which contains a directory separator or starts with a dot).</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class InputAttribute(ArtifactKind kind) : Attribute
{
    /// <summary>The kind the referenced output must have.</summary>
    public ArtifactKind Kind => kind;
}

/// <summary>One output of a step.</summary>
/// <param name="Name">File or folder name inside the step's folder, and the name recipes use after the dot.</param>
/// <param name="Kind">What it is.</param>
public sealed record StepOutput(string Name, ArtifactKind Kind);

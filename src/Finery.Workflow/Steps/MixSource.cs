using System.ComponentModel;

namespace Finery.Workflow.Steps;

/// <summary>Token shards that a run mixes with others.</summary>
public sealed record MixSource
{
    /// <summary>How stages and logs call it.</summary>
    [Description("how stages and logs call it")]
    public required string Name { get; init; }

    /// <summary>What it reads.</summary>
    [Input(ArtifactKind.Tokens), Description("token shards")]
    public required Artifact Tokens { get; init; }
}

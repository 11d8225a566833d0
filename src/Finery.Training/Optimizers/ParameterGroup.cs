namespace Finery.Training.Optimizers;

/// <summary>How the parameters of some names are updated differently. Of several groups the first that matches counts.</summary>
public sealed record ParameterGroup
{
    /// <summary>Regular expression that is found in the names of the parameters.</summary>
    public required string Pattern { get; init; }

    /// <summary>Factor on the learning rate.</summary>
    public double RateScale { get; init; } = 1;

    /// <summary>Weight decay; null leaves that of the optimizer.</summary>
    public double? WeightDecay { get; init; }

    /// <summary>Factor on the epsilon of Adam.</summary>
    public double EpsilonScale { get; init; } = 1;
}

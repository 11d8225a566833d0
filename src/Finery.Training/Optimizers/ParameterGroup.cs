namespace Finery.Training.Optimizers;

/// <summary>Settings that some parameters have instead of the optimizer's own; of several groups the first that matches counts.</summary>
public sealed record ParameterGroup
{
    /// <summary>Regular expression on the names of the parameters.</summary>
    public required string Pattern { get; init; }

    /// <summary>Factor on the learning rate.</summary>
    public double RateScale { get; init; } = 1;

    /// <summary>Weight decay; null for the optimizer's own rule.</summary>
    public double? WeightDecay { get; init; }

    /// <summary>Factor on the epsilon of Adam.</summary>
    public double EpsilonScale { get; init; } = 1;
}

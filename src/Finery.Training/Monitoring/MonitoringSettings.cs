using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Finery.Training.Monitoring;

/// <summary>What is measured of a run besides its loss, and when it is worth a word. Nothing of it changes what is computed.</summary>
public sealed record MonitoringSettings
{
    /// <summary>Whether anything but the loss is measured.</summary>
    [Description("whether weights, gradients, updates and activations are measured")]
    public bool Enabled { get; init; } = true;

    /// <summary>K: steps between measurements.</summary>
    [Description("steps between measurements"), Range(1, 1 << 20)]
    public int EverySteps { get; init; } = 25;

    /// <summary>Rows of the run's first batch on which activations are looked at.</summary>
    [Description("rows of the fixed batch on which activations are measured"), Range(1, 64)]
    public int ProbeRows { get; init; } = 1;

    /// <summary>Tokens whose activations are kept and compared, spread over the probe.</summary>
    [Description("tokens whose activations are compared"), Range(4, 128)]
    public int SampleTokens { get; init; } = 64;

    /// <summary>Measurements in which a gate must have been positive once not to count as dead.</summary>
    [Description("measurements without a positive gate that make a unit dead"), Range(1, 1000)]
    public int DeadWindow { get; init; } = 4;

    /// <summary>What is reported.</summary>
    public AlertSettings Alerts { get; init; } = new();
}

/// <summary>Limits beyond which a measurement is reported. Reported once: again only after it was well inside the limit.</summary>
public sealed record AlertSettings
{
    /// <summary>Measurements in a row beyond a limit before it is reported.</summary>
    [Description("measurements in a row beyond a limit before it is reported"), Range(1, 100)]
    public int Confirm { get; init; } = 2;

    /// <summary>Attention logit (K2 clips at 100).</summary>
    [Description("attention logit that is reported"), Range(0.0, 1e9)]
    public double MaxLogitAbove { get; init; } = 100;

    /// <summary>Mean attention entropy of a layer in nats.</summary>
    [Description("mean attention entropy of a layer, in nats, that is reported"), Range(0.0, 100.0)]
    public double EntropyBelow { get; init; } = 0.1;

    /// <summary>Share of dead units of a layer.</summary>
    [Description("share of dead units of a layer that is reported"), Range(0.0, 1.0)]
    public double DeadShareAbove { get; init; } = 0.5;

    /// <summary>Effective rank of a layer's activations.</summary>
    [Description("effective rank of a layer's activations that is reported"), Range(0.0, 1000.0)]
    public double EffectiveRankBelow { get; init; } = 2;

    /// <summary>Size of an update relative to the weight, while the learning rate is at least half its highest so far.</summary>
    [Description("relative update too small to learn by"), Range(0.0, 1.0)]
    public double UpdateRatioBelow { get; init; } = 1e-4;

    /// <summary>Size of an update relative to the weight.</summary>
    [Description("relative update too large to be stable"), Range(0.0, 1000.0)]
    public double UpdateRatioAbove { get; init; } = 0.1;
}

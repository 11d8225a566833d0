using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Finery.Training.Monitoring;

/// <summary>What is done about a run that seems to diverge.</summary>
public enum RepairMode
{
    /// <summary>The rungs one after the other.</summary>
    Repair,

    /// <summary>The run stops with a diagnosis at the first step that is not finite, spikes, or stays high.</summary>
    Stop,

    /// <summary>Every finite step is applied; the run stops where several in a row are not.</summary>
    Endure,
}

/// <summary>
/// The ladder of answers to a diverging run (workflow reference 2.6). Each rung has its switch, thresholds and budget, and hands on to the
/// next that is on when its budget is spent. Lengths left open are the published ones, shortened in runs of few steps.
/// </summary>
public sealed record RepairSettings
{
    /// <summary>What is done about trouble.</summary>
    [Description("repair: climb the ladder; stop: end at the first sign with a diagnosis; endure: apply what is finite, whatever it is")]
    public RepairMode Mode { get; init; }

    /// <summary>Loss or gradient that is not finite.</summary>
    public NonFiniteRung NonFinite { get; init; } = new();

    /// <summary>A loss or gradient norm far outside the last ones.</summary>
    public SpikeRung Spikes { get; init; } = new();

    /// <summary>A loss that stays high, or too many spikes.</summary>
    public ReduceRung Reduce { get; init; } = new();

    /// <summary>What the others did not cure.</summary>
    public RollbackRung Rollback { get; init; } = new();
}

/// <summary>Rung 1: a step whose loss or gradient is not finite is skipped; weights and moments stay.</summary>
public sealed record NonFiniteRung
{
    /// <summary>Off, such a step goes to the next rung at once: it can never be applied.</summary>
    [Description("whether a step that is not finite is skipped before more is done")]
    public bool Enabled { get; init; } = true;

    /// <summary>Such steps in a row that this rung may not bear: weights, not data, are then the cause.</summary>
    [Description("steps in a row that are not finite before a rollback"), Range(1, 1000)]
    public int InARow { get; init; } = 3;

    /// <summary>Steps skipped in the whole run.</summary>
    [Description("steps that may be skipped as not finite in the whole run"), Range(0, int.MaxValue)]
    public int Budget { get; init; } = 100;
}

/// <summary>Rung 2: a step beyond the rolling mean by so many standard deviations is skipped, and stays out of the window (OLMo-core).</summary>
public sealed record SpikeRung
{
    /// <summary>Off, spikes are counted and reported but applied.</summary>
    [Description("whether steps with a spike are skipped")]
    public bool Enabled { get; init; } = true;

    /// <summary>Standard deviations above the mean of the window, of the loss or of the gradient norm.</summary>
    [Description("standard deviations above the rolling mean that make a spike"), Range(1.0, 1000.0)]
    public double Sigmas { get; init; } = 6;

    /// <summary>Multiple of the rolling mean that a gradient norm must pass besides: where norms hardly vary, a few deviations are no spike.</summary>
    [Description("multiple of the rolling mean that the norm of a spike exceeds besides"), Range(1.0, 1000.0)]
    public double NormRatio { get; init; } = 2;

    /// <summary>Values of the window; 128 by default, an eighth of a run of less than 1,024 steps but at least 16. It is active once half
    /// full, and not before warm-up ends.</summary>
    [Description("values of the window; default 128, fewer in short runs"), Range(4, 1 << 16)]
    public int? Window { get; init; }

    /// <summary>Spikes in a row that are too many: the weights are where no batch is normal.</summary>
    [Description("spikes in a row before the learning rate is reduced"), Range(1, 1000)]
    public int InARow { get; init; } = 8;

    /// <summary>Spikes of the loss in a row that are answered by a rollback: while steps are skipped weights do not move, so that several
    /// batches in a row far above all before them say that an update before them has spoilt the weights.</summary>
    [Description("spikes of the loss in a row before a rollback"), Range(1, 1000)]
    public int LossInARow { get; init; } = 3;

    /// <summary>Steps skipped in the whole run.</summary>
    [Description("steps that may be skipped as spikes in the whole run"), Range(0, int.MaxValue)]
    public int Budget { get; init; } = 1000;
}

/// <summary>Rung 3: lower learning rate with a new warm-up and a tighter clip.</summary>
public sealed record ReduceRung
{
    /// <summary>Off, this rung is passed over.</summary>
    [Description("whether the learning rate is reduced when the loss stays high")]
    public bool Enabled { get; init; } = true;

    /// <summary>The smoothed loss is too high above this multiple of its best.</summary>
    [Description("multiple of the best smoothed loss that counts as divergence"), Range(1.0, 1000.0, MinimumIsExclusive = true)]
    public double LossRatio { get; init; } = 1.25;

    /// <summary>Nats it must be above its best besides: near zero a quarter more is noise.</summary>
    [Description("nats above the best smoothed loss that it takes besides"), Range(0.0, 1000.0)]
    public double LossMargin { get; init; } = 0.1;

    /// <summary>Weight of the past in the smoothed loss.</summary>
    [Description("weight of the past in the smoothed loss"), Range(0.0, 1.0, MaximumIsExclusive = true)]
    public double Smoothing { get; init; } = 0.9;

    /// <summary>M: steps it must stay there; 50 by default, a fortieth of shorter runs but at least 5.</summary>
    [Description("steps the smoothed loss must stay too high; default 50, fewer in short runs"), Range(1, 1 << 20)]
    public int? Patience { get; init; }

    /// <summary>k: more spikes than this within 1,000 steps are too many.</summary>
    [Description("spikes within 1,000 steps that are borne"), Range(0, 1000)]
    public int SpikesPerThousand { get; init; } = 20;

    /// <summary>Factor on the learning rate, for the rest of the run.</summary>
    [Description("factor on the learning rate"), Range(0.0, 1.0, MinimumIsExclusive = true)]
    public double RateFactor { get; init; } = 0.5;

    /// <summary>Factor on the clipping norm, for the rest of the run.</summary>
    [Description("factor on the clipping norm"), Range(0.0, 1.0, MinimumIsExclusive = true)]
    public double ClipFactor { get; init; } = 0.5;

    /// <summary>m: steps of linear warm-up to the reduced rate; 100 by default, a twentieth of shorter runs but at least 5.</summary>
    [Description("steps of warm-up to the reduced rate; default 100, fewer in short runs"), Range(1, 1 << 20)]
    public int? RewarmupSteps { get; init; }

    /// <summary>Reductions in the whole run.</summary>
    [Description("reductions in the whole run"), Range(0, 1000)]
    public int Budget { get; init; } = 3;
}

/// <summary>Rung 4: back to the last healthy checkpoint, past the data it happened on, at a lower learning rate. When the budget is spent,
/// rung 5 stops the run.</summary>
public sealed record RollbackRung
{
    /// <summary>Off, the run stops where it would be rolled back.</summary>
    [Description("whether the run returns to a healthy checkpoint")]
    public bool Enabled { get; init; } = true;

    /// <summary>W: steps the checkpoint must be older than the onset; 100 by default (PaLM), a twentieth of shorter runs but at least 5.</summary>
    [Description("steps a checkpoint must be older than the onset; default 100, fewer in short runs"), Range(0, 1 << 20)]
    public int? MarginSteps { get; init; }

    /// <summary>Batches passed over at least, from the one before the onset on: the update that did it came before the loss that shows it. As
    /// many as <see cref="MarginSteps"/> by default.</summary>
    [Description("batches passed over at least; default as many as margin_steps"), Range(1, 1 << 20)]
    public int? SkipBatches { get; init; }

    /// <summary>Factor on the learning rate for a while. The first rollback keeps the rate if one batch or update did the damage: other data
    /// are then a cure that costs nothing (PaLM), where a lower rate costs a run more than most faults do.</summary>
    [Description("factor on the learning rate after a rollback, but the first from sudden damage"), Range(0.0, 1.0, MinimumIsExclusive = true)]
    public double RateFactor { get; init; } = 0.5;

    /// <summary>Steps for which it holds; 500 by default, a tenth of shorter runs but at least 10.</summary>
    [Description("steps of the lower learning rate; default 500, fewer in short runs"), Range(1, 1 << 20)]
    public int? RateSteps { get; init; }

    /// <summary>Rollbacks in the whole run.</summary>
    [Description("rollbacks before the run stops"), Range(0, 1000)]
    public int Budget { get; init; } = 3;
}

/// <summary>The lengths of <see cref="RepairSettings"/> for a run of a certain length.</summary>
/// <param name="Window">Values of the window.</param>
/// <param name="Patience">M.</param>
/// <param name="RewarmupSteps">m.</param>
/// <param name="MarginSteps">W.</param>
/// <param name="SkipBatches">Batches that a rollback passes over at least.</param>
/// <param name="RateSteps">Steps of the lower rate after a rollback.</param>
internal readonly record struct RepairLengths(
    int Window, int Patience, int RewarmupSteps, int MarginSteps, int SkipBatches, int RateSteps)
{
    public static RepairLengths Of(RepairSettings settings, long steps) => new(
        settings.Spikes.Window ?? Scaled(steps, 8, 16, 128), settings.Reduce.Patience ?? Scaled(steps, 40, 5, 50),
        settings.Reduce.RewarmupSteps ?? Scaled(steps, 20, 5, 100), settings.Rollback.MarginSteps ?? Scaled(steps, 20, 5, 100),
        settings.Rollback.SkipBatches ?? settings.Rollback.MarginSteps ?? Scaled(steps, 20, 5, 100),
        settings.Rollback.RateSteps ?? Scaled(steps, 10, 10, 500));

    private static int Scaled(long steps, int share, int least, int most) => (int)Math.Clamp(steps / share, least, most);
}

using System.Globalization;
using Finery.Models;

namespace Finery.Training.Optimizers;

/// <summary>How gradients that are too large are scaled down, as a recipe names it (pretraining reference 2.4).</summary>
public abstract record GradientClip
{
    /// <summary>What clips, with the state it begins with.</summary>
    /// <param name="parameters">Whose gradients are clipped.</param>
    /// <exception cref="ArgumentException">A setting is impossible; the message lists every fault.</exception>
    public GradientClipper Create(IReadOnlyList<Parameter> parameters)
    {
        string[] faults = [.. Validate().Select(fault => fault.Message + ".")];
        if (faults.Length > 0) throw new ArgumentException("Clipping: " + string.Join(" ", faults));
        return CreateClipper(parameters);
    }

    /// <summary>Every setting in words, part of a checkpoint's identity.</summary>
    public string Description => SettingsText.Of(this);

    /// <summary>Everything wrong with these settings; empty where nothing is.</summary>
    public virtual IEnumerable<(string Property, string Message)> Validate() => [];

    private protected abstract GradientClipper CreateClipper(IReadOnlyList<Parameter> parameters);

    private protected static IEnumerable<(string Property, string Message)> Positive(string name, string key, double value)
    {
        if (!(value > 0)) yield return (name, string.Create(CultureInfo.InvariantCulture, $"{key} is {value}; it must be positive"));
    }
}

/// <summary>Gradients as they are.</summary>
public sealed record NoClip : GradientClip
{
    private protected override GradientClipper CreateClipper(IReadOnlyList<Parameter> parameters) => new GlobalNormClipper(double.PositiveInfinity);
}

/// <summary>All gradients together are kept within a norm: <c>g *= min(1, c / (norm + 1e-6))</c>.</summary>
public sealed record GlobalNormClip : GradientClip
{
    /// <summary>c.</summary>
    public double Norm { get; init; } = 1;

    /// <inheritdoc/>
    public override IEnumerable<(string Property, string Message)> Validate() => Positive(nameof(Norm), "norm", Norm);

    private protected override GradientClipper CreateClipper(IReadOnlyList<Parameter> parameters) => new GlobalNormClipper(Norm);
}

/// <summary>ZClip: norms far above what they have been lately are scaled down to the running mean, the further the closer.</summary>
public sealed record ZClip : GradientClip
{
    /// <summary>Standard deviations above the mean from which on a norm is clipped.</summary>
    public double ZThreshold { get; init; } = 2.5;

    /// <summary>Decay of the running mean and variance.</summary>
    public double Decay { get; init; } = 0.97;

    /// <summary>Norms that mean and variance begin with.</summary>
    public int Warmup { get; init; } = 25;

    /// <summary>Norm that is kept to besides, also during warm-up; infinity for none.</summary>
    public double Norm { get; init; } = 1;

    /// <inheritdoc/>
    public override IEnumerable<(string Property, string Message)> Validate()
    {
        foreach (var fault in Positive(nameof(ZThreshold), "z_threshold", ZThreshold)) yield return fault;
        if (!(Decay is >= 0 and < 1))
            yield return (nameof(Decay), string.Create(CultureInfo.InvariantCulture, $"decay is {Decay}; expected 0 to below 1"));
        if (Warmup is < 1 or > 100_000)
            yield return (nameof(Warmup), string.Create(CultureInfo.InvariantCulture, $"warmup is {Warmup}; expected 1 to 100000 steps"));
        foreach (var fault in Positive(nameof(Norm), "norm", Norm)) yield return fault;
    }

    private protected override GradientClipper CreateClipper(IReadOnlyList<Parameter> parameters) => new ZClipper(this);
}

/// <summary>Each tensor by itself: <c>||g|| &lt;= lambda EMA(||g||)</c>, the mean being that of norms after clipping.</summary>
public sealed record AdaptiveClip : GradientClip
{
    /// <summary>lambda.</summary>
    public double Multiple { get; init; } = 2;

    /// <summary>Decay of the running means of norms.</summary>
    public double Decay { get; init; } = 0.97;

    /// <inheritdoc/>
    public override IEnumerable<(string Property, string Message)> Validate()
    {
        if (!(Multiple > 1))
            yield return (nameof(Multiple), string.Create(CultureInfo.InvariantCulture, $"multiple is {Multiple}; up to 1 gradients would shrink for ever"));
        if (!(Decay is >= 0 and < 1))
            yield return (nameof(Decay), string.Create(CultureInfo.InvariantCulture, $"decay is {Decay}; expected 0 to below 1"));
    }

    private protected override GradientClipper CreateClipper(IReadOnlyList<Parameter> parameters) => new AdaptiveClipper(this, parameters);
}

/// <summary>Every way of clipping by the name a recipe uses.</summary>
public static class ClipCatalogue
{
    /// <summary>Recipe name to record type.</summary>
    public static IReadOnlyDictionary<string, Type> Clips { get; } = new Dictionary<string, Type>
    {
        ["adaptive"] = typeof(AdaptiveClip),
        ["global_norm"] = typeof(GlobalNormClip),
        ["none"] = typeof(NoClip),
        ["zclip"] = typeof(ZClip),
    };
}

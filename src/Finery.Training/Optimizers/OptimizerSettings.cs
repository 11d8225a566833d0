using System.Globalization;
using System.Text.RegularExpressions;
using Finery.Models;

namespace Finery.Training.Optimizers;

/// <summary>Settings of an optimizer, as a recipe names it. What they have in common: decay, groups of parameters, masters of BF16
/// weights, QK-clip.</summary>
/// <remarks>To add one: a record here, its <see cref="Optimizer"/>, and a line in <see cref="OptimizerCatalogue"/>.</remarks>
public abstract record OptimizerSettings
{
    // Patterns come from recipes: one that backtracks without end must not hang a run.
    private static readonly TimeSpan PatternTime = TimeSpan.FromSeconds(1);

    /// <summary>Decoupled decay of the parameters that decay (see <see cref="NoDecay"/>).</summary>
    public double WeightDecay { get; init; } = 0.1;

    /// <summary>Regular expressions of the names of parameters without decay, in place of the usual norms, embedding table and head tied
    /// to it (<see cref="Parameter.Decays"/>). SmolLM3 decayed all but <c>embed_tokens</c>. A group's own decay wins over this.</summary>
    public IReadOnlyList<string>? NoDecay { get; init; }

    /// <summary>Parameters with a rate, a decay or an epsilon of their own; of several that match a name the first counts.</summary>
    public IReadOnlyList<ParameterGroup> Groups { get; init; } = [];

    /// <summary>What is kept beside BF16 weights.</summary>
    public MasterWeights Masters { get; init; } = MasterWeights.Split;

    /// <summary>Bound on attention logits; null for none. With Muon this is MuonClip.</summary>
    public QkClipSettings? QkClip { get; init; }

    /// <summary>The optimizer of these parameters, with zero state.</summary>
    /// <param name="parameters">Trainable: each with a gradient.</param>
    /// <param name="seed">Of stochastic rounding, where BF16 weights have no masters.</param>
    /// <exception cref="ArgumentException">A setting is impossible or a parameter has no gradient; the message lists every fault.</exception>
    public abstract Optimizer Create(IReadOnlyList<Parameter> parameters, ulong seed = 0);

    /// <summary>Bytes of state for these parameters, which may be outlines; masters included.</summary>
    public abstract long StateBytes(IReadOnlyList<Parameter> parameters);

    /// <summary>Bytes of scratch memory that updates ask of the kernels.</summary>
    public virtual long ScratchBytes(IReadOnlyList<Parameter> parameters) => 0;

    /// <summary>Everything wrong with these settings; empty where nothing is.</summary>
    public virtual IEnumerable<(string Property, string Message)> Validate()
    {
        if (!IsDecay(WeightDecay)) yield return (nameof(WeightDecay), Text($"weight_decay is {WeightDecay}; it must not be negative"));
        foreach (string pattern in NoDecay ?? [])
        {
            if (Fault(pattern) is { } fault) yield return (nameof(NoDecay), $"no_decay '{pattern}': {fault}");
        }
        foreach (var group in Groups)
        {
            string name = $"groups '{group.Pattern}'";
            if (Fault(group.Pattern) is { } fault) yield return (nameof(Groups), $"{name}: {fault}");
            if (!(group.RateScale >= 0 && double.IsFinite(group.RateScale)))
                yield return (nameof(Groups), Text($"{name}: rate_scale is {group.RateScale}; it must not be negative"));
            if (!IsDecay(group.WeightDecay ?? 0))
                yield return (nameof(Groups), Text($"{name}: weight_decay is {group.WeightDecay}; it must not be negative"));
            if (!(group.EpsilonScale > 0 && double.IsFinite(group.EpsilonScale)))
                yield return (nameof(Groups), Text($"{name}: epsilon_scale is {group.EpsilonScale}; it must be positive"));
        }
        foreach (var (_, message) in QkClip?.Validate() ?? []) yield return (nameof(QkClip), "qk_clip: " + message);
    }

    /// <summary>What holds for each parameter. Settings are valid.</summary>
    /// <exception cref="ArgumentException">A pattern takes too long on a name.</exception>
    internal ParameterOptions[] Resolve(IReadOnlyList<Parameter> parameters)
    {
        Regex[] undecayed = [.. (NoDecay ?? []).Select(Compile)], groups = [.. Groups.Select(group => Compile(group.Pattern))];
        return [.. parameters.Select(parameter =>
        {
            bool decays = NoDecay is null ? parameter.Decays : !Array.Exists(undecayed, pattern => Matches(pattern, parameter));
            int index = Array.FindIndex(groups, pattern => Matches(pattern, parameter));
            var group = index < 0 ? null : Groups[index];
            return new ParameterOptions(group?.RateScale ?? 1, group?.WeightDecay, decays, group?.EpsilonScale ?? 1);
        })];
    }

    internal static bool IsDecay(double decay) => decay >= 0 && double.IsFinite(decay);

    internal static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    /// <summary>Faults of the two betas and the epsilon of Adam.</summary>
    internal static IEnumerable<(string Property, string Message)> ValidateAdam(double beta1, double beta2, double epsilon)
    {
        if (!(beta1 is >= 0 and < 1)) yield return ("Beta1", Text($"beta1 is {beta1}; expected 0 to below 1"));
        if (!(beta2 is >= 0 and < 1)) yield return ("Beta2", Text($"beta2 is {beta2}; expected 0 to below 1"));
        if (!(epsilon > 0)) yield return ("Epsilon", Text($"epsilon is {epsilon}; it must be positive"));
    }

    private static Regex Compile(string pattern) => new(pattern, RegexOptions.CultureInvariant, PatternTime);

    private static string? Fault(string pattern)
    {
        if (pattern.Length == 0) return "an empty pattern matches every name; '.' does so on purpose";
        try
        {
            Compile(pattern);
            return null;
        }
        catch (ArgumentException exception)
        {
            return exception.Message;
        }
    }

    private static bool Matches(Regex pattern, Parameter parameter)
    {
        try
        {
            return pattern.IsMatch(parameter.Name);
        }
        catch (RegexMatchTimeoutException)
        {
            throw new ArgumentException($"The pattern '{pattern}' takes over a second on '{parameter.Name}'; write it without nested repetition.");
        }
    }
}

/// <summary>What holds for one parameter.</summary>
/// <param name="RateScale">Factor on the learning rate.</param>
/// <param name="OwnDecay">Decay of its group; null for that of the optimizer.</param>
/// <param name="Decays">Whether it decays at all without a decay of its own.</param>
/// <param name="EpsilonScale">Factor on epsilon.</param>
internal readonly record struct ParameterOptions(double RateScale, double? OwnDecay, bool Decays, double EpsilonScale)
{
    /// <summary>Its weight decay, given the optimizer's.</summary>
    public double Decay(double usual) => OwnDecay ?? (Decays ? usual : 0);
}

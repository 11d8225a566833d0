using System.Globalization;
using Finery.Models;
using Finery.Models.Weights;
using Finery.Tensors;

namespace Finery.Training.Optimizers;

/// <summary>What the optimizer keeps beside a BF16 weight, whose eight bits lose most updates otherwise.</summary>
public enum MasterWeights
{
    /// <summary>The low 16 bits: with the weight's they are the exact F32, of which the weight is the truncation. 2 bytes a weight, and
    /// the update is that of F32 to the bit.</summary>
    Split,

    /// <summary>The exact F32 beside the weight, which is its nearest BF16. 4 bytes a weight.</summary>
    F32,

    /// <summary>Nothing: updates are rounded stochastically, right on average.</summary>
    None,
}

/// <summary>Settings of <see cref="AdamW"/>; the defaults are those of SmolLM3 and Llama 3.</summary>
public sealed record AdamWOptimizerSettings
{
    /// <summary>Decay of the first moment.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>Decay of the second moment.</summary>
    public double Beta2 { get; init; } = 0.95;

    /// <summary>Added after the bias-corrected root.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>Decoupled decay of the parameters that <see cref="Parameter.Decays"/>: not of norm gains or embeddings.</summary>
    public double WeightDecay { get; init; } = 0.1;

    /// <summary>What is kept beside BF16 weights.</summary>
    public MasterWeights Masters { get; init; } = MasterWeights.Split;

    /// <summary>Of stochastic rounding.</summary>
    public ulong Seed { get; init; }

    /// <summary>Everything wrong with these settings; empty where nothing is.</summary>
    public IEnumerable<string> Validate()
    {
        if (!(Beta1 is >= 0 and < 1)) yield return $"beta1 is {Beta1}; expected 0 to below 1.";
        if (!(Beta2 is >= 0 and < 1)) yield return $"beta2 is {Beta2}; expected 0 to below 1.";
        if (!(Epsilon > 0)) yield return $"epsilon is {Epsilon}; it must be positive.";
        if (!(WeightDecay >= 0)) yield return $"weight decay is {WeightDecay}; it must not be negative.";
    }
}

/// <summary>AdamW (Loshchilov and Hutter 2019; pretraining reference 2.1), moments and updates in F32.</summary>
public sealed class AdamW : Optimizer
{
    private readonly AdamWOptimizerSettings _settings;
    private readonly IReadOnlyList<Parameter> _parameters;
    private readonly Arena _arena = new("adamw");
    private readonly Tensor[] _first;
    private readonly Tensor[] _second;
    private readonly Tensor?[] _masters;
    private readonly ulong[] _roundingKeys;

    /// <summary>Allocates zero moments, and masters equal to the weights.</summary>
    /// <param name="parameters">Trainable: each with a gradient.</param>
    /// <param name="settings">Checked here.</param>
    /// <exception cref="ArgumentException">A setting is impossible or a parameter has no gradient; the message lists every fault.</exception>
    public AdamW(IReadOnlyList<Parameter> parameters, AdamWOptimizerSettings settings)
    {
        string[] errors =
        [
            .. settings.Validate(),
            .. parameters.Where(parameter => parameter.Weight.Gradient is null).Select(parameter => $"{parameter.Name} has no gradient."),
        ];
        if (errors.Length > 0) throw new ArgumentException("AdamW: " + string.Join(" ", errors));
        (_parameters, _settings) = (parameters, settings);
        _first = [.. parameters.Select(parameter => _arena.Floats("adamw.m." + parameter.Name, parameter.Weight.Shape))];
        _second = [.. parameters.Select(parameter => _arena.Floats("adamw.v." + parameter.Name, parameter.Weight.Shape))];
        _masters = [.. parameters.Select(Master)];
        _roundingKeys = [.. parameters.Select(parameter => CounterRandom.Key(settings.Seed, "adamw.rounding." + parameter.Name))];
        State = [.. _first.Concat(_second).Concat(_masters.OfType<Tensor>()).Select(tensor => new NamedTensor(tensor.Name, tensor))];
    }

    /// <inheritdoc/>
    public override IReadOnlyList<NamedTensor> State { get; }

    /// <inheritdoc/>
    public override string Description => string.Create(
        CultureInfo.InvariantCulture,
        $"AdamW beta1={_settings.Beta1} beta2={_settings.Beta2} epsilon={_settings.Epsilon} decay={_settings.WeightDecay}") + Masters;

    private string Masters => !_parameters.Any(IsNarrow) ? ""
        : _settings.Masters == MasterWeights.None
            ? string.Create(CultureInfo.InvariantCulture, $" masters=None seed={_settings.Seed}")
            : $" masters={_settings.Masters}";

    /// <inheritdoc/>
    public override void Step(Kernels kernels, double learningRate, float gradientScale)
    {
        long update = Updates + 1;
        for (int i = 0; i < _parameters.Count; i++)
        {
            var weight = _parameters[i].Weight;
            double decay = _parameters[i].Decays ? _settings.WeightDecay : 0;
            kernels.AdamW(weight, _masters[i], weight.Gradient!, _first[i], _second[i], new AdamWSettings(
                (float)learningRate, (float)_settings.Beta1, (float)_settings.Beta2, (float)_settings.Epsilon, (float)decay,
                update, gradientScale, new StochasticRounding(CounterRandom.Bits(_roundingKeys[i], (ulong)update))));
        }
        Updates = update;
    }

    /// <inheritdoc/>
    public override void Dispose() => _arena.Dispose();

    private static bool IsNarrow(Parameter parameter) => parameter.Weight.Type == DType.BF16;

    // A weight that was never updated has no low half.
    private Tensor? Master(Parameter parameter)
    {
        if (!IsNarrow(parameter) || _settings.Masters == MasterWeights.None) return null;
        var weight = parameter.Weight;
        if (_settings.Masters == MasterWeights.Split) return _arena.Allocate("adamw.low." + parameter.Name, DType.U16, weight.Shape);
        var master = _arena.Floats("adamw.master." + parameter.Name, weight.Shape);
        for (int i = 0; i < weight.Length; i++) master.Floats[i] = (float)weight.BFloat16s[i];
        return master;
    }
}

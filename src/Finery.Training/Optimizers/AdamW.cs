using System.Globalization;
using Finery.Models;
using Finery.Models.Weights;
using Finery.Tensors;

namespace Finery.Training.Optimizers;

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

    /// <summary>Everything wrong with these settings; empty where nothing is.</summary>
    public IEnumerable<string> Validate()
    {
        if (!(Beta1 is >= 0 and < 1)) yield return $"beta1 is {Beta1}; expected 0 to below 1.";
        if (!(Beta2 is >= 0 and < 1)) yield return $"beta2 is {Beta2}; expected 0 to below 1.";
        if (!(Epsilon > 0)) yield return $"epsilon is {Epsilon}; it must be positive.";
        if (!(WeightDecay >= 0)) yield return $"weight decay is {WeightDecay}; it must not be negative.";
    }
}

/// <summary>AdamW (Loshchilov and Hutter 2019; pretraining reference 2.1), moments in fp32.</summary>
public sealed class AdamW : Optimizer
{
    private readonly AdamWOptimizerSettings _settings;
    private readonly IReadOnlyList<Parameter> _parameters;
    private readonly Arena _arena = new("adamw");
    private readonly Tensor[] _first;
    private readonly Tensor[] _second;

    /// <summary>Allocates zero moments.</summary>
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
        State = [.. _first.Concat(_second).Select(moment => new NamedTensor(moment.Name, moment))];
    }

    /// <inheritdoc/>
    public override IReadOnlyList<NamedTensor> State { get; }

    /// <inheritdoc/>
    public override string Description => string.Create(
        CultureInfo.InvariantCulture,
        $"AdamW beta1={_settings.Beta1} beta2={_settings.Beta2} epsilon={_settings.Epsilon} decay={_settings.WeightDecay}");

    /// <inheritdoc/>
    public override void Step(Kernels kernels, double learningRate, float gradientScale)
    {
        long update = Updates + 1;
        for (int i = 0; i < _parameters.Count; i++)
        {
            var weight = _parameters[i].Weight;
            double decay = _parameters[i].Decays ? _settings.WeightDecay : 0;
            kernels.AdamW(weight, weight.Gradient!, _first[i], _second[i], new AdamWSettings(
                (float)learningRate, (float)_settings.Beta1, (float)_settings.Beta2, (float)_settings.Epsilon, (float)decay,
                update, gradientScale));
        }
        Updates = update;
    }

    /// <inheritdoc/>
    public override void Dispose() => _arena.Dispose();
}

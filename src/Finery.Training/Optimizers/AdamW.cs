using Finery.Models;
using Finery.Models.Weights;
using Finery.Tensors;

namespace Finery.Training.Optimizers;

/// <summary>Settings of <see cref="AdamW"/>; the defaults are those of SmolLM3 and Llama 3.</summary>
public sealed record AdamWOptimizerSettings : OptimizerSettings
{
    /// <summary>Decay of the first moment.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>Decay of the second moment.</summary>
    public double Beta2 { get; init; } = 0.95;

    /// <summary>Added after the bias-corrected root.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <inheritdoc/>
    public override Optimizer Create(IReadOnlyList<Parameter> parameters, ulong seed = 0) => new AdamW(parameters, this, seed);

    /// <inheritdoc/>
    public override long StateBytes(IReadOnlyList<Parameter> parameters) =>
        parameters.Sum(AdamMoments.Bytes) + Optimizers.Masters.Bytes(parameters, Masters);

    /// <inheritdoc/>
    public override IEnumerable<(string Property, string Message)> Validate() => [.. base.Validate(), .. ValidateAdam(Beta1, Beta2, Epsilon)];
}

/// <summary>AdamW (Loshchilov and Hutter 2019; pretraining reference 2.1), moments and updates in F32.</summary>
public sealed class AdamW : Optimizer
{
    private readonly AdamWOptimizerSettings _settings;
    private readonly AdamMoments[] _moments;

    /// <summary>Allocates zero moments, and masters equal to the weights.</summary>
    /// <inheritdoc cref="OptimizerSettings.Create"/>
    public AdamW(IReadOnlyList<Parameter> parameters, AdamWOptimizerSettings settings, ulong seed = 0)
        : base("adamw", parameters, settings, seed)
    {
        _settings = settings;
        _moments = [.. parameters.Select(parameter => new AdamMoments(Arena, parameter))];
        Moments = [.. _moments.SelectMany(moments => moments.State)];
    }

    private protected override IReadOnlyList<NamedTensor> Moments { get; }

    private protected override void Update(Kernels kernels, int parameter, in ParameterUpdate update) => _moments[parameter].Update(
        kernels, update, _settings.Beta1, _settings.Beta2, _settings.Epsilon, update.Options.Decay(_settings.WeightDecay));
}

/// <summary>The two moments of one parameter under Adam.</summary>
internal sealed class AdamMoments(Arena arena, Parameter parameter)
{
    private readonly Tensor _first = arena.Floats("adamw.m." + parameter.Name, parameter.Weight.Shape);
    private readonly Tensor _second = arena.Floats("adamw.v." + parameter.Name, parameter.Weight.Shape);

    /// <summary>For checkpoints.</summary>
    public IEnumerable<NamedTensor> State => [new(_first.Name, _first), new(_second.Name, _second)];

    /// <summary>Bytes that the moments of a parameter take.</summary>
    public static long Bytes(Parameter parameter) => 2 * sizeof(float) * parameter.Weight.Length;

    public void Update(Kernels kernels, in ParameterUpdate update, double beta1, double beta2, double epsilon, double decay) => kernels.AdamW(
        parameter.Weight, update.Master, parameter.Weight.Gradient!, _first, _second, new AdamWSettings(
            (float)update.Rate, (float)beta1, (float)beta2, (float)(epsilon * update.Options.EpsilonScale), (float)decay, update.Number,
            update.GradientScale, new StochasticRounding(update.Key)));
}

using Finery.Models;
using Finery.Models.Weights;
using Finery.Tensors;

namespace Finery.Training.Optimizers;

/// <summary>Settings of <see cref="Sgd"/>.</summary>
public sealed record SgdOptimizerSettings : OptimizerSettings
{
    /// <summary>mu of heavy-ball momentum; 0 for none, which keeps no state.</summary>
    public double Momentum { get; init; } = 0.9;

    /// <summary>Whether updates look one step of momentum ahead.</summary>
    public bool Nesterov { get; init; }

    /// <inheritdoc/>
    public override Optimizer Create(IReadOnlyList<Parameter> parameters, ulong seed = 0) => new Sgd(parameters, this, seed);

    /// <inheritdoc/>
    public override long StateBytes(IReadOnlyList<Parameter> parameters) =>
        (Momentum == 0 ? 0 : sizeof(float) * parameters.Sum(parameter => parameter.Weight.Length)) + Optimizers.Masters.Bytes(parameters, Masters);

    /// <inheritdoc/>
    public override IEnumerable<(string Property, string Message)> Validate()
    {
        foreach (var fault in base.Validate()) yield return fault;
        if (!(Momentum is >= 0 and < 1)) yield return (nameof(Momentum), Text($"momentum is {Momentum}; expected 0 to below 1"));
        if (Nesterov && Momentum == 0) yield return (nameof(Nesterov), "nesterov looks ahead along a momentum; momentum is 0");
    }
}

/// <summary>Stochastic gradient descent with momentum and decoupled decay.</summary>
public sealed class Sgd : Optimizer
{
    private readonly SgdOptimizerSettings _settings;
    private readonly Tensor?[] _momenta;

    /// <summary>Allocates zero momenta, and masters equal to the weights.</summary>
    /// <inheritdoc cref="OptimizerSettings.Create"/>
    public Sgd(IReadOnlyList<Parameter> parameters, SgdOptimizerSettings settings, ulong seed = 0) : base("sgd", parameters, settings, seed)
    {
        _settings = settings;
        _momenta = [.. parameters.Select(parameter =>
            settings.Momentum == 0 ? null : Arena.Floats("sgd.momentum." + parameter.Name, parameter.Weight.Shape))];
        Moments = [.. _momenta.OfType<Tensor>().Select(tensor => new NamedTensor(tensor.Name, tensor))];
    }

    private protected override IReadOnlyList<NamedTensor> Moments { get; }

    private protected override void Update(Kernels kernels, int parameter, in ParameterUpdate update)
    {
        var weight = Parameters[parameter].Weight;
        kernels.Sgd(weight, update.Master, weight.Gradient!, _momenta[parameter], new SgdSettings(
            (float)update.Rate, (float)_settings.Momentum, (float)update.Options.Decay(_settings.WeightDecay), update.GradientScale,
            _settings.Nesterov, new StochasticRounding(update.Key)));
    }
}

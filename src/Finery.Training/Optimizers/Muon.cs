using Finery.Models;
using Finery.Models.Weights;
using Finery.Tensors;

namespace Finery.Training.Optimizers;

/// <summary>Muon (Jordan et al. 2024; pretraining reference 2.2) for the matrices inside the layers, each on its own even where
/// storage is fused; AdamW for everything else.</summary>
public sealed class Muon : Optimizer
{
    private readonly MuonOptimizerSettings _settings;
    private readonly Matrix[][] _matrices;
    private readonly AdamMoments?[] _rest;

    /// <summary>Allocates zero momenta and moments, and masters equal to the weights.</summary>
    /// <inheritdoc cref="OptimizerSettings.Create"/>
    public Muon(IReadOnlyList<Parameter> parameters, MuonOptimizerSettings settings, ulong seed = 0) : base("muon", parameters, settings, seed)
    {
        _settings = settings;
        var moments = new List<NamedTensor>();
        (_matrices, _rest) = (new Matrix[parameters.Count][], new AdamMoments?[parameters.Count]);
        for (int i = 0; i < parameters.Count; i++)
        {
            if (parameters[i].Matrices.Count > 0)
            {
                _matrices[i] = Matrices(i, moments);
                continue;
            }
            _matrices[i] = [];
            var rest = _rest[i] = new AdamMoments(Arena, parameters[i]);
            moments.AddRange(rest.State);
        }
        Moments = moments;
    }

    private protected override IReadOnlyList<NamedTensor> Moments { get; }

    private protected override void Update(Kernels kernels, int parameter, in ParameterUpdate update)
    {
        if (_rest[parameter] is { } moments)
        {
            var rest = _settings.Rest;
            moments.Update(
                kernels, update with { Rate = update.Rate * rest.RateScale }, rest.Beta1, rest.Beta2, rest.Epsilon,
                update.Options.Decay(rest.WeightDecay ?? _settings.WeightDecay));
            return;
        }
        var settings = new MuonSettings(
            (float)update.Rate, (float)_settings.MomentumAt(update.Number), (float)update.Options.Decay(_settings.WeightDecay),
            update.GradientScale, _settings.Nesterov, _settings.Scale, _settings.Iteration, _settings.CautiousDecay, (float)_settings.SecondDecay);
        var matrices = _matrices[parameter];
        for (int i = 0; i < matrices.Length; i++)
        {
            var (weight, master, momentum, second) = matrices[i];
            var rounding = new StochasticRounding(CounterRandom.Bits(update.Key, (ulong)i));
            kernels.Muon(weight, master, weight.Gradient!, momentum, second, settings with { Rounding = rounding });
        }
    }

    private Matrix[] Matrices(int index, List<NamedTensor> moments)
    {
        var parameter = Parameters[index];
        var momentum = Arena.Floats("muon.momentum." + parameter.Name, parameter.Weight.Shape);
        moments.Add(new(momentum.Name, momentum));
        var second = _settings.Normalize ? Arena.Floats("muon.second." + parameter.Name, _settings.SecondLength(parameter), 1) : null;
        if (second is not null) moments.Add(new(second.Name, second));
        var matrices = new Matrix[parameter.Matrices.Count];
        int row = 0, mean = 0;
        for (int i = 0; i < matrices.Length; i++)
        {
            int rows = parameter.Matrices[i], means = Math.Max(rows, parameter.Weight.Columns);
            matrices[i] = new(
                parameter.Weight.Slice(row, rows), MasterOf(index)?.Slice(row, rows), momentum.Slice(row, rows), second?.Slice(mean, means));
            row += rows;
            mean += means;
        }
        return matrices;
    }

    private sealed record Matrix(Tensor Weight, Tensor? Master, Tensor Momentum, Tensor? Second);
}

using System.Text.RegularExpressions;
using Finery.Models;
using Finery.Models.Weights;
using Finery.Tensors;
using Finery.Training.Optimizers;

namespace Finery.Tests.Training.Scaling;

/// <summary>AdamW with the parameter groups of a model's parametrisation: one optimizer for each group, and one for the rest.</summary>
internal sealed class GroupedAdamW : Optimizer
{
    private readonly List<(AdamW Optimizer, double RateScale)> _parts = [];

    public GroupedAdamW(ModelConfig config, IReadOnlyList<Parameter> parameters, AdamWOptimizerSettings settings)
    {
        var left = parameters.ToList();
        foreach (var group in config.ParameterGroups(settings.WeightDecay))
        {
            var mine = left.Where(parameter => Regex.IsMatch(parameter.Name, group.Pattern)).ToList();
            left = [.. left.Except(mine)];
            _parts.Add((new AdamW(mine, settings with
            {
                WeightDecay = group.WeightDecay ?? settings.WeightDecay, Epsilon = settings.Epsilon * group.EpsilonScale,
            }), group.RateScale));
        }
        _parts.Add((new AdamW(left, settings), 1));
    }

    public override IReadOnlyList<NamedTensor> State => [.. _parts.SelectMany(part => part.Optimizer.State)];

    public override string Description => "grouped";

    public override void Step(Kernels kernels, double learningRate, float gradientScale)
    {
        foreach (var (optimizer, scale) in _parts) optimizer.Step(kernels, learningRate * scale, gradientScale);
        Updates++;
    }

    public override void Dispose()
    {
        foreach (var (optimizer, _) in _parts) optimizer.Dispose();
    }
}

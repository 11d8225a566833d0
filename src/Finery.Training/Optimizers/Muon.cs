using System.Globalization;
using Finery.Models;
using Finery.Models.Weights;
using Finery.Tensors;

namespace Finery.Training.Optimizers;

/// <summary>Settings of <see cref="Muon"/>; the defaults are Moonlight's, which fit learning rates of AdamW.</summary>
public sealed record MuonOptimizerSettings
{
    /// <summary>mu of the running mean of gradients.</summary>
    public double Momentum { get; init; } = 0.95;

    /// <summary>Whether updates look one step of momentum ahead.</summary>
    public bool Nesterov { get; init; } = true;

    /// <summary>Decoupled decay of the matrices.</summary>
    public double WeightDecay { get; init; } = 0.1;

    /// <summary>Size of an update by the shape of its matrix.</summary>
    public MuonScale Scale { get; init; } = MuonScale.Moonlight;

    /// <summary>How updates are made orthogonal.</summary>
    public Orthogonalization Iteration { get; init; } = Orthogonalization.Quintic;

    /// <summary>Of embedding, head and norms.</summary>
    public AdamWOptimizerSettings Rest { get; init; } = new();

    /// <summary>Learning rate of the rest as a multiple of that of the matrices; 1 fits <see cref="MuonScale.Moonlight"/>.</summary>
    public double RestRate { get; init; } = 1;

    /// <summary>Everything wrong with these settings; empty where nothing is.</summary>
    public IEnumerable<string> Validate()
    {
        if (!(Momentum is >= 0 and < 1)) yield return $"momentum is {Momentum}; expected 0 to below 1.";
        if (!(WeightDecay >= 0)) yield return $"weight decay is {WeightDecay}; it must not be negative.";
        if (!(RestRate > 0 && double.IsFinite(RestRate))) yield return $"rest rate is {RestRate}; it must be positive.";
        foreach (string error in Rest.Validate()) yield return error;
    }
}

/// <summary>Muon (Jordan et al. 2024; pretraining reference 2.2) for the matrices inside the layers, each on its own even where storage is
/// fused; <see cref="AdamW"/> for everything else.</summary>
public sealed class Muon : Optimizer
{
    private readonly MuonOptimizerSettings _settings;
    private readonly Arena _arena = new("muon");
    private readonly List<(Tensor Weight, Tensor Momentum)> _matrices = [];
    private readonly AdamW _rest;

    /// <summary>Allocates zero momenta and moments.</summary>
    /// <param name="parameters">Trainable: each with a gradient.</param>
    /// <param name="settings">Checked here.</param>
    /// <exception cref="ArgumentException">A setting is impossible or a parameter has no gradient; the message lists every fault.</exception>
    public Muon(IReadOnlyList<Parameter> parameters, MuonOptimizerSettings settings)
    {
        string[] errors =
        [
            .. settings.Validate(),
            .. parameters.Where(parameter => parameter.Weight.Gradient is null).Select(parameter => $"{parameter.Name} has no gradient."),
        ];
        if (errors.Length > 0) throw new ArgumentException("Muon: " + string.Join(" ", errors));
        _settings = settings;
        var state = new List<NamedTensor>();
        foreach (var parameter in parameters.Where(parameter => parameter.Matrices.Count > 0))
        {
            string name = "muon.momentum." + parameter.Name;
            var momentum = _arena.Floats(name, parameter.Weight.Shape);
            state.Add(new(name, momentum));
            int row = 0;
            foreach (int rows in parameter.Matrices)
            {
                _matrices.Add((parameter.Weight.Slice(row, rows), momentum.Slice(row, rows)));
                row += rows;
            }
        }
        _rest = new AdamW([.. parameters.Where(parameter => parameter.Matrices.Count == 0)], settings.Rest);
        State = [.. state, .. _rest.State];
    }

    /// <inheritdoc/>
    public override IReadOnlyList<NamedTensor> State { get; }

    /// <inheritdoc/>
    public override string Description => string.Create(
        CultureInfo.InvariantCulture,
        $"Muon momentum={_settings.Momentum} nesterov={_settings.Nesterov} decay={_settings.WeightDecay} scale={_settings.Scale} "
        + $"iteration={_settings.Iteration}; rest x{_settings.RestRate} {_rest.Description}");

    /// <inheritdoc/>
    public override void Step(Kernels kernels, double learningRate, float gradientScale)
    {
        var update = new MuonSettings(
            (float)learningRate, (float)_settings.Momentum, (float)_settings.WeightDecay, gradientScale, _settings.Nesterov,
            _settings.Scale, _settings.Iteration);
        for (int i = 0; i < _matrices.Count; i++)
        {
            var (weight, momentum) = _matrices[i];
            kernels.Muon(weight, weight.Gradient!, momentum, update);
        }
        _rest.Updates = Updates;
        _rest.Step(kernels, learningRate * _settings.RestRate, gradientScale);
        Updates = _rest.Updates;
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        _rest.Dispose();
        _arena.Dispose();
    }
}

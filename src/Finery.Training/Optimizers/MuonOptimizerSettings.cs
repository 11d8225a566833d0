using Finery.Models;
using Finery.Tensors;

namespace Finery.Training.Optimizers;

/// <summary>Settings of <see cref="Muon"/>; the defaults are Moonlight's, which fit learning rates of AdamW.</summary>
public sealed record MuonOptimizerSettings : OptimizerSettings
{
    /// <summary>mu of the running mean of gradients.</summary>
    public double Momentum { get; init; } = 0.95;

    /// <summary>Updates over which mu rises linearly from <see cref="MomentumStart"/>; 0 for none. modded-nanogpt takes 300.</summary>
    public long MomentumWarmup { get; init; }

    /// <summary>mu of the first update, where it rises.</summary>
    public double MomentumStart { get; init; } = 0.85;

    /// <summary>Whether updates look one step of momentum ahead.</summary>
    public bool Nesterov { get; init; } = true;

    /// <summary>Size of an update by the shape of its matrix.</summary>
    public MuonScale Scale { get; init; } = MuonScale.Moonlight;

    /// <summary>How updates are made orthogonal.</summary>
    public Orthogonalization Iteration { get; init; } = Orthogonalization.Quintic;

    /// <summary>Whether rows (of wide matrices columns) of updates are brought to the same size over time (NorMuon).</summary>
    public bool Normalize { get; init; }

    /// <summary>Decay of the running mean of squares that this takes.</summary>
    public double SecondDecay { get; init; } = 0.95;

    /// <summary>Whether weights of matrices decay only where the update shrinks them too.</summary>
    public bool CautiousDecay { get; init; }

    /// <summary>Of embedding, head and norms.</summary>
    public MuonRestSettings Rest { get; init; } = new();

    /// <inheritdoc/>
    public override Optimizer Create(IReadOnlyList<Parameter> parameters, ulong seed = 0) => new Muon(parameters, this, seed);

    /// <inheritdoc/>
    public override long StateBytes(IReadOnlyList<Parameter> parameters) => parameters.Sum(parameter =>
        parameter.Matrices.Count == 0 ? AdamMoments.Bytes(parameter) : sizeof(float) * (parameter.Weight.Length + SecondLength(parameter)))
        + Optimizers.Masters.Bytes(parameters, Masters);

    /// <inheritdoc/>
    public override long ScratchBytes(IReadOnlyList<Parameter> parameters) => parameters
        .SelectMany(parameter => parameter.Matrices.Select(rows => CpuKernels.MuonScratch(rows, parameter.Weight.Columns)))
        .DefaultIfEmpty().Max();

    /// <inheritdoc/>
    public override IEnumerable<(string Property, string Message)> Validate()
    {
        foreach (var fault in base.Validate()) yield return fault;
        if (!(Momentum is >= 0 and < 1)) yield return (nameof(Momentum), Text($"momentum is {Momentum}; expected 0 to below 1"));
        if (MomentumWarmup < 0) yield return (nameof(MomentumWarmup), Text($"momentum_warmup is {MomentumWarmup}; it must not be negative"));
        if (!(MomentumStart is >= 0 and < 1)) yield return (nameof(MomentumStart), Text($"momentum_start is {MomentumStart}; expected 0 to below 1"));
        if (!(SecondDecay is >= 0 and < 1)) yield return (nameof(SecondDecay), Text($"second_decay is {SecondDecay}; expected 0 to below 1"));
        foreach (var (_, message) in Rest.Validate()) yield return (nameof(Rest), "rest: " + message);
    }

    /// <summary>mu of an update.</summary>
    /// <param name="number">Of the update, from 1.</param>
    internal double MomentumAt(long number) => number > MomentumWarmup
        ? Momentum : MomentumStart + (Momentum - MomentumStart) * (number - 1) / MomentumWarmup;

    /// <summary>Running means of NorMuon for all matrices of a parameter.</summary>
    internal int SecondLength(Parameter parameter) =>
        Normalize ? parameter.Matrices.Sum(rows => Math.Max(rows, parameter.Weight.Columns)) : 0;
}

/// <summary>How <see cref="Muon"/> updates what is not a matrix inside a layer, by AdamW.</summary>
public sealed record MuonRestSettings
{
    /// <summary>Learning rate as a multiple of that of the matrices; 1 fits <see cref="MuonScale.Moonlight"/>.</summary>
    public double RateScale { get; init; } = 1;

    /// <summary>Decay of the first moment.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>Decay of the second moment.</summary>
    public double Beta2 { get; init; } = 0.95;

    /// <summary>Added after the bias-corrected root.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>Decoupled decay; null for that of the matrices.</summary>
    public double? WeightDecay { get; init; }

    /// <summary>Everything wrong with these settings; empty where nothing is.</summary>
    public IEnumerable<(string Property, string Message)> Validate()
    {
        if (!(RateScale > 0 && double.IsFinite(RateScale)))
            yield return (nameof(RateScale), OptimizerSettings.Text($"rate_scale is {RateScale}; it must be positive"));
        if (!OptimizerSettings.IsDecay(WeightDecay ?? 0))
            yield return (nameof(WeightDecay), OptimizerSettings.Text($"weight_decay is {WeightDecay}; it must not be negative"));
        foreach (var fault in OptimizerSettings.ValidateAdam(Beta1, Beta2, Epsilon)) yield return fault;
    }
}

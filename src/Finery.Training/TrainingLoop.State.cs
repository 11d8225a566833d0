using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Finery.Models;
using Finery.Models.Weights;
using Finery.Training.Monitoring;

namespace Finery.Training;

/// <summary>Where a run is, and how it gets there again.</summary>
public sealed partial class TrainingLoop
{
    private const string RepairPrefix = "repair.", ClipPrefix = "clip.";

    private readonly double _initialTheta;
    private readonly RopeScaling? _initialScaling;

    private readonly SortedDictionary<string, string> _identity;

    /// <summary>Continues from the newest whole checkpoint, if there is one.</summary>
    /// <returns>Whether there was one.</returns>
    /// <exception cref="CheckpointMismatchException">The checkpoint is of another run.</exception>
    public bool Resume()
    {
        if (_checkpoints?.Restore(_identity, StateTensors(), OnWarning) is not { } state) return false;
        Restore(state);
        // The phase of the last step done, as in the run that wrote this: where no step is left, the model still has to have its context.
        var phase = _phases[PhaseOf(Math.Max(0, _step - 1))];
        if (!ReferenceEquals(phase, _phase)) Enter(phase);
        return true;
    }

    private int PhaseOf(long step)
    {
        int index = 0;
        while (_phaseEnds[index] <= step) index++;
        return index;
    }

    /// <summary>Makes the phase of a step the current one.</summary>
    private void EnterPhaseOf(long step)
    {
        int index = PhaseOf(step);
        var phase = _phases[index];
        bool begins = step == _phaseEnds[index] - phase.Steps;
        if (begins && index > 0 && phase.OptimizerState == OptimizerStatePolicy.Reset) _optimizer.Reset();
        if (ReferenceEquals(phase, _phase)) return;
        Enter(phase);
        if (begins) _repair.Rearm();
    }

    private void Enter(TrainingPhase phase)
    {
        // The old activations go first: both may not fit.
        _pass?.Dispose();
        _pass = null;
        _phase = phase;
        EnterContext(phase);
        _batch = phase.Source.CreateBatch();
        _pass = _loss.CreatePass(_kernels, _model, phase.Source.Rows / phase.MicroBatches * phase.Source.Length, _settings.Recompute);
        _flopsPerToken = _model.Config.TrainingFlopsPerToken(phase.Source.Length);
    }

    /// <summary>Goes back to the newest healthy checkpoint that is old enough.</summary>
    /// <returns>Whether there is one.</returns>
    private bool RollBack(RepairDecision decision)
    {
        if (_checkpoints?.RestoreHealthy(decision.RestoreBefore, _identity, StateTensors(), OnWarning) is not { } state) return false;
        RestoreCounters(state);
        _repair.RolledBack(_step);
        // From here on a killed run resumes on the new branch; until the last of these is done, on the old one, which comes here again.
        SaveCheckpoint(healthy: true);
        _checkpoints.DeleteAfter(_step);
        return true;
    }

    /// <summary>Rotary base and scaling as the last phase up to this one gave them, whatever phase the run comes from.</summary>
    private void EnterContext(TrainingPhase phase)
    {
        var (theta, scaling) = (_initialTheta, _initialScaling);
        foreach (var earlier in _phases)
        {
            theta = earlier.RopeTheta ?? theta;
            scaling = earlier.RopeScaling ?? scaling;
            if (ReferenceEquals(earlier, phase)) break;
        }
        if (theta != _model.Config.RopeTheta || scaling != _model.Config.RopeScaling)
            _model.ChangeContext(_model.Config.SequenceLength, theta, scaling);
    }

    private void Restore(CheckpointState state)
    {
        RestoreCounters(state);
        _repair.Restore(Below(RepairPrefix, state.Numbers));
    }

    private void RestoreCounters(CheckpointState state)
    {
        _step = state.Step;
        _optimizer.Updates = (long)state.Numbers["updates"];
        _tokensSeen = (long)state.Numbers["tokens"];
        _skipped = (long)state.Numbers["skipped"];
        _smoothedSum = state.Numbers["smoothedSum"];
        _smoothedWeight = state.Numbers["smoothedWeight"];
        _clipper.Restore(Below(ClipPrefix, state.Numbers));
    }

    private static Dictionary<string, double> Below(string prefix, IReadOnlyDictionary<string, double> numbers) =>
        numbers.Where(number => number.Key.StartsWith(prefix, StringComparison.Ordinal))
            .ToDictionary(number => number.Key[prefix.Length..], number => number.Value);

    private void SaveCheckpoint(bool healthy)
    {
        if (_checkpoints is null) return;
        var numbers = new Dictionary<string, double>
        {
            ["updates"] = _optimizer.Updates,
            ["tokens"] = _tokensSeen,
            ["skipped"] = _skipped,
            ["smoothedSum"] = _smoothedSum,
            ["smoothedWeight"] = _smoothedWeight,
        };
        foreach (var (name, value) in _repair.Save()) numbers[RepairPrefix + name] = value;
        foreach (var (name, value) in _clipper.State) numbers[ClipPrefix + name] = value;
        string path = _checkpoints.Save(new(_step, _identity, numbers) { Healthy = healthy }, StateTensors());
        OnCheckpoint?.Invoke(_step, path);
    }

    private List<NamedTensor> StateTensors() =>
    [
        .. Parameters.Select(parameter => new NamedTensor("model." + parameter.Name, parameter.Weight)), .. _optimizer.State,
        .. Average?.State ?? [], .. _monitor?.State ?? [],
    ];

    private SortedDictionary<string, string> Identity()
    {
        string config = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(_model.Config.ToJson())));
        var identity = new SortedDictionary<string, string>(StringComparer.Ordinal)
        {
            ["model"] = config,
            ["phases"] = string.Join("; ", _phases.Select(phase => phase.Description)),
            ["data"] = string.Join(", ", _phases.Select(phase => phase.Source.Fingerprint).Distinct()),
            ["loss"] = _loss.Description,
            ["optimizer"] = _optimizer.Description,
            ["schedule"] = _schedule.ToString(),
            ["steps"] = TotalSteps.ToString(CultureInfo.InvariantCulture),
            ["clip"] = _settings.Clip.Description,
            ["average"] = _settings.Average?.ToString() ?? "",
            ["repair"] = _settings.Repair.ToString(),
        };
        if (_settings.Faults.Count > 0) identity["faults"] = string.Join("; ", _settings.Faults);
        foreach (var (key, value) in _settings.Identity) identity["run." + key] = value;
        return identity;
    }
}

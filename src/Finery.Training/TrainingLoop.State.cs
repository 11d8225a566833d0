using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Finery.Models.Weights;

namespace Finery.Training;

/// <summary>Where a run is, and how it gets there again.</summary>
public sealed partial class TrainingLoop
{
    private readonly SortedDictionary<string, string> _identity;

    /// <summary>Continues from the newest whole checkpoint, if there is one.</summary>
    /// <returns>Whether there was one.</returns>
    /// <exception cref="CheckpointMismatchException">The checkpoint is of another run.</exception>
    public bool Resume()
    {
        if (_checkpoints?.Restore(_identity, StateTensors(), OnWarning) is not { } state) return false;
        Restore(state);
        return true;
    }

    /// <summary>Makes the phase of a step the current one.</summary>
    private void EnterPhaseOf(long step)
    {
        int index = Array.FindIndex(_phaseEnds, end => step < end);
        var phase = _phases[index];
        bool begins = step == _phaseEnds[index] - phase.Steps;
        if (begins && index > 0 && phase.OptimizerState == OptimizerStatePolicy.Reset)
        {
            foreach (var (_, tensor) in _optimizer.State) tensor.Bytes.Clear();
            _optimizer.Updates = 0;
        }
        if (ReferenceEquals(phase, _phase)) return;
        _phase = phase;
        Enter(phase);
    }

    private void Enter(TrainingPhase phase)
    {
        // The old activations go first: both may not fit.
        _pass?.Dispose();
        _pass = null;
        _batch = phase.Source.CreateBatch();
        _pass = _loss.CreatePass(_kernels, _model, phase.Source.Rows / phase.MicroBatches * phase.Source.Length, _settings.Recompute);
        _flopsPerToken = _model.Config.TrainingFlopsPerToken(phase.Source.Length);
    }

    private void Restore(CheckpointState state)
    {
        _step = state.Step;
        _optimizer.Updates = (long)state.Numbers["updates"];
        _tokensSeen = (long)state.Numbers["tokens"];
        _skipped = (long)state.Numbers["skipped"];
        _skippedInARow = (long)state.Numbers["skippedInARow"];
        _smoothedSum = state.Numbers["smoothedSum"];
        _smoothedWeight = state.Numbers["smoothedWeight"];
    }

    private void SaveCheckpoint(bool healthy)
    {
        if (_checkpoints is null) return;
        string path = _checkpoints.Save(
            new(_step, _identity, new Dictionary<string, double>
            {
                ["updates"] = _optimizer.Updates,
                ["tokens"] = _tokensSeen,
                ["skipped"] = _skipped,
                ["skippedInARow"] = _skippedInARow,
                ["smoothedSum"] = _smoothedSum,
                ["smoothedWeight"] = _smoothedWeight,
            })
            { Healthy = healthy },
            StateTensors());
        OnCheckpoint?.Invoke(_step, path);
    }

    private List<NamedTensor> StateTensors() =>
        [.. Parameters.Select(parameter => new NamedTensor("model." + parameter.Name, parameter.Weight)), .. _optimizer.State];

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
            ["clipNorm"] = _settings.ClipNorm.ToString("R", CultureInfo.InvariantCulture),
        };
        foreach (var (key, value) in _settings.Identity) identity["run." + key] = value;
        return identity;
    }
}

using System.Globalization;
using Finery.Training.Schedules;

namespace Finery.Training.Monitoring;

/// <summary>
/// Decides what becomes of each step of a run (workflow reference 2.6): apply, skip, reduce the learning rate, roll back, or stop. It sees
/// only values that are the same on every rank, so that all decide alike, and its whole state is numbers, so that a resumed run decides as
/// the uninterrupted one would have. What a rollback must not forget (budgets, learning rate, skipped data) is kept apart from what
/// it resets (the windows of the detector and the open alarm).
/// </summary>
/// <remarks>A spike that is skipped leaves no trace in windows or smoothed loss. After a reduction windows begin anew, so that steps from
/// where the weights are now count as normal and can be applied; while its warm-up lasts and the patience after it, only what is not
/// finite or spikes again goes further.</remarks>
public sealed partial class RepairLadder
{
    private const int KeptPoints = 200;

    private readonly RepairSettings _settings;
    private readonly RepairLengths _lengths;
    private readonly DivergenceDetector _detector;
    private readonly RepairPoint[] _points = new RepairPoint[KeptPoints];
    private long _pointCount;

    // Survives a rollback.
    private readonly SkippedBatches _skipped = new();
    private double _rateFactor = 1;
    private double _clipFactor = 1;
    private double _rollbackFactor = 1;
    private long _rollbackEnds;
    private long _warmFrom = -1;
    private long _nonFiniteSkips;
    private long _spikeSkips;
    private long _reductions;
    private long _rollbacks;

    // Reset by a rollback.
    private long _nonFiniteInARow;
    private long _spikesInARow;
    private long _lossSpikesInARow;
    private long _highInARow;
    private long _onset = -1;
    private long _probationEnds = -1;

    /// <summary>A ladder at its foot.</summary>
    /// <param name="settings">Rungs.</param>
    /// <param name="steps">Length of the run, by which lengths left open are chosen.</param>
    /// <param name="warmupSteps">Steps of warm-up, in which there are no spikes.</param>
    public RepairLadder(RepairSettings settings, long steps, long warmupSteps)
    {
        (_settings, _lengths) = (settings, RepairLengths.Of(settings, steps));
        _detector = new(settings.Spikes, _lengths.Window, warmupSteps, settings.Reduce);
    }

    /// <summary>Told of everything the ladder does, in order.</summary>
    public Action<RepairEvent>? OnEvent { get; set; }

    /// <summary>Whether no alarm is open: only then may a checkpoint be marked healthy.</summary>
    public bool IsHealthy => _onset < 0 && _probationEnds < 0;

    /// <summary>Share of the last 10,000 steps that were spikes.</summary>
    public double SpikeScore => _detector.SpikeScore;

    /// <summary>Factor on the clipping norm.</summary>
    public double ClipScale => _clipFactor;

    /// <summary>Rollbacks so far.</summary>
    public long Rollbacks => _rollbacks;

    /// <summary>The last steps, oldest first, at most 200; of this process alone.</summary>
    public IReadOnlyList<RepairPoint> LastPoints
    {
        get
        {
            int count = (int)Math.Min(_pointCount, KeptPoints);
            var points = new RepairPoint[count];
            for (int i = 0; i < count; i++) points[i] = _points[(_pointCount - count + i) % KeptPoints];
            return points;
        }
    }

    /// <summary>Factor on the scheduled learning rate of a step: what reductions and rollbacks left of it, with the warm-up after the last.</summary>
    public double RateScale(long step) => _rateFactor * (step < _rollbackEnds ? _rollbackFactor : 1)
        * (_warmFrom < 0 ? 1 : new Rewarmup(_warmFrom, _lengths.RewarmupSteps).At(step));

    /// <summary>The batch a step takes: its own number until a rollback skipped data.</summary>
    public long BatchOf(long step) => _skipped.BatchOf(step);

    /// <summary>Decides on a step, after its gradients are reduced and before they are applied.</summary>
    /// <param name="step">From 0.</param>
    /// <param name="loss">Of the whole step.</param>
    /// <param name="gradientNorm">Global norm before clipping.</param>
    /// <param name="finite">Whether loss and gradients are, on every rank.</param>
    public RepairDecision Decide(long step, double loss, double gradientNorm, bool finite)
    {
        var decision = finite && double.IsFinite(loss) && double.IsFinite(gradientNorm)
            ? DecideFinite(step, loss, gradientNorm) : DecideNonFinite(step, loss, gradientNorm);
        _points[_pointCount++ % KeptPoints] = new(step, BatchOf(step), loss, gradientNorm, decision.Action);
        // A rollback skips data from the batches its points were computed on.
        if (decision.Action == RepairAction.Rollback) _skipped.Add(decision.SkipFrom, decision.SkipTo);
        return decision;
    }

    /// <summary>A healthy checkpoint was restored as asked: the detector begins anew at <paramref name="step"/>, at the lower rate if there is
    /// to be one.</summary>
    /// <param name="step">Steps the checkpoint had done: the next to run.</param>
    public void RolledBack(long step)
    {
        _detector.Reset(step);
        (_nonFiniteInARow, _spikesInARow, _lossSpikesInARow, _highInARow, _onset, _probationEnds) = (0, 0, 0, 0, -1, -1);
        (_warmFrom, _rollbackEnds) = _rollbackFactor < 1 ? (step, step + _lengths.RateSteps) : (-1, -1);
    }

    /// <summary>There is no checkpoint to roll back to.</summary>
    /// <param name="step">Step that asked for it.</param>
    /// <param name="onset">Its <see cref="RepairDecision.Onset"/>.</param>
    public RepairDecision NoHealthyCheckpoint(long step, long onset) =>
        Stop(step, onset, "no healthy checkpoint is old enough to roll back to; write them more often, or one at the start");

    /// <summary>Data, batch size or sequence length change on purpose at the next step: what follows need not be like what was.</summary>
    public void Rearm()
    {
        _detector.Rearm(keepBest: false);
        (_spikesInARow, _lossSpikesInARow, _highInARow) = (0, 0, 0);
    }

    private RepairDecision DecideNonFinite(long step, double loss, double norm)
    {
        Open(step);
        _nonFiniteInARow++;
        string what = Text($"loss {loss:g6}, gradient norm {norm:g6} at step {step}");
        if (_settings.Mode == RepairMode.Stop) return Stop(step, _onset, what + "; repair is off");
        if (_settings.Mode == RepairMode.Endure)
        {
            return _nonFiniteInARow < _settings.NonFinite.InARow
                ? Skip(step, RepairRung.NonFinite, what, ref _nonFiniteSkips)
                : Stop(step, _onset, Text($"{what}: {_nonFiniteInARow} steps in a row were not finite; repair is off"));
        }
        if (_settings.NonFinite.Enabled && _nonFiniteInARow < _settings.NonFinite.InARow && _nonFiniteSkips < _settings.NonFinite.Budget)
            return Skip(step, RepairRung.NonFinite, what, ref _nonFiniteSkips);
        // A lower rate cures no weights that give no number.
        return RollBack(step, Text($"{what}: {_nonFiniteInARow} in a row, {_nonFiniteSkips} skipped in the run"), sudden: true);
    }

    private RepairDecision DecideFinite(long step, double loss, double norm)
    {
        _nonFiniteInARow = 0;
        var reading = _detector.Read(step, loss, norm);
        if (reading.IsSpike)
        {
            Open(step);
            _spikesInARow++;
            _lossSpikesInARow = reading.LossSigmas > _settings.Spikes.Sigmas ? _lossSpikesInARow + 1 : 0;
            string what = Text($"loss {loss:g6} is {reading.LossSigmas:0.0} and gradient norm {norm:g6} is {reading.NormSigmas:0.0} sigma above the last {_lengths.Window}");
            if (_settings.Spikes.Enabled && _settings.Mode == RepairMode.Stop) return Stop(step, _onset, what + "; repair is off");
            if (_settings.Spikes.Enabled && _settings.Mode == RepairMode.Repair) return DecideSpike(step, what);
            Report(step, RepairRung.Spike, what + "; applied");
            // Applied, and still far off: this is the level now.
            if (_spikesInARow >= _settings.Spikes.InARow) _detector.Rearm(keepBest: true);
        }
        else
        {
            (_spikesInARow, _lossSpikesInARow) = (0, 0);
            _detector.Keep(loss, norm);
        }
        return DecideLevel(step, loss, reading.IsSpike);
    }

    private RepairDecision DecideSpike(long step, string what)
    {
        if (_lossSpikesInARow >= _settings.Spikes.LossInARow && _settings.Rollback.Enabled && _rollbacks < _settings.Rollback.Budget)
            return RollBack(step, Text($"{what}: the loss of {_lossSpikesInARow} batches in a row, on weights that did not move"), sudden: true);
        bool many = _detector.RecentSpikes > _settings.Reduce.SpikesPerThousand;
        if (_spikesInARow < _settings.Spikes.InARow && _spikeSkips < _settings.Spikes.Budget && !many)
            return Skip(step, RepairRung.Spike, what, ref _spikeSkips);
        return Reduce(step, Text($"{what}: {_spikesInARow} spikes in a row, {_detector.RecentSpikes} in 1000 steps, {_spikeSkips} skipped in the run"));
    }

    /// <summary>Decides on a step that is to be applied by what the smoothed loss does.</summary>
    private RepairDecision DecideLevel(long step, double loss, bool isSpike)
    {
        if (!_detector.Smooth(loss))
        {
            _highInARow = 0;
            if (!isSpike && _detector.IsSettled) Close(step);
            return new(RepairAction.Continue);
        }
        Open(step);
        _highInARow++;
        bool onProbation = _probationEnds >= 0;
        if (_settings.Mode == RepairMode.Endure) return new(RepairAction.Continue);
        if (onProbation ? step < _probationEnds : _highInARow <= _lengths.Patience) return new(RepairAction.Continue);
        return Reduce(step, Text($"smoothed loss {_detector.SmoothedLoss:g6} is above {_settings.Reduce.LossRatio:0.##} x its best {_detector.BestLoss:g6} since step {_onset}"));
    }

    private RepairDecision Reduce(long step, string why)
    {
        var rung = _settings.Reduce;
        if (_settings.Mode == RepairMode.Stop) return Stop(step, _onset, why + "; repair is off");
        // A second reduction before the first has shown an effect is no new answer.
        if (!rung.Enabled || _probationEnds >= 0 || _reductions >= rung.Budget) return RollBack(step, why);
        double rate = _rateFactor, clip = _clipFactor;
        _reductions++;
        (_rateFactor, _clipFactor, _warmFrom) = (_rateFactor * rung.RateFactor, _clipFactor * rung.ClipFactor, step + 1);
        (_spikesInARow, _lossSpikesInARow, _highInARow) = (0, 0, 0);
        _probationEnds = step + 1 + _lengths.RewarmupSteps + _lengths.Patience;
        _detector.Rearm(keepBest: true);
        Report(step, RepairRung.Reduce, why,
            new("rate factor", rate, _rateFactor), new("clip factor", clip, _clipFactor), new("reductions", _reductions - 1, _reductions));
        return new(RepairAction.SkipAndReduce, _onset, Diagnosis: why);
    }

    /// <param name="step">Step that asks for it.</param>
    /// <param name="why">In words.</param>
    /// <param name="sudden">Whether one update or batch did it: leaving that out is then a cure that costs nothing, and the rate may
    /// stay (PaLM), the first time. What came little by little comes again at the same rate.</param>
    private RepairDecision RollBack(long step, string why, bool sudden = false)
    {
        var rung = _settings.Rollback;
        if (!rung.Enabled) return Stop(step, _onset, why + "; rollback is off");
        if (_rollbacks >= rung.Budget) return Stop(step, _onset, Text($"{why}; {_rollbacks} rollbacks did not cure it"));
        double rate = step < _rollbackEnds ? _rollbackFactor : 1;
        _rollbacks++;
        _rollbackFactor = sudden && _rollbacks == 1 ? 1 : rate * rung.RateFactor;
        // The update before the onset is the first that may have done it.
        long from = BatchOf(Math.Max(0, _onset - 1)), to = Math.Max(BatchOf(step) + 1, from + _lengths.SkipBatches);
        Report(step, RepairRung.Rollback, why,
            new("rate factor", rate, _rollbackFactor), new("rollbacks", _rollbacks - 1, _rollbacks),
            new("batches skipped", _skipped.Count, _skipped.Count + (to - from)));
        return new(RepairAction.Rollback, _onset, Math.Max(0, _onset - _lengths.MarginSteps), from, to, why);
    }

    private RepairDecision Stop(long step, long onset, string why)
    {
        Report(step, RepairRung.Stop, why);
        return new(RepairAction.Stop, onset, Diagnosis: why);
    }

    private RepairDecision Skip(long step, RepairRung rung, string why, ref long skips)
    {
        skips++;
        Report(step, rung, why, new RepairChange("steps skipped", skips - 1, skips));
        return new(RepairAction.SkipUpdate, _onset, Diagnosis: why);
    }

    private void Open(long step)
    {
        if (_onset < 0) _onset = step;
    }

    private void Close(long step)
    {
        if (IsHealthy || (_probationEnds >= 0 && step < _warmFrom + _lengths.RewarmupSteps)) return;
        Report(step, RepairRung.Recovered, Text($"smoothed loss {_detector.SmoothedLoss:g6}, alarm open since step {_onset}"));
        (_onset, _probationEnds) = (-1, -1);
    }

    private void Report(long step, RepairRung rung, string reason, params IReadOnlyList<RepairChange> changes) =>
        OnEvent?.Invoke(new(step, rung, reason, [.. changes.Where(change => change.Before != change.After)]));

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}

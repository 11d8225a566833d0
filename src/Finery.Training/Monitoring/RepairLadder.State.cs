namespace Finery.Training.Monitoring;

public sealed partial class RepairLadder
{
    /// <summary>Everything future decisions depend on, to the bit, for a checkpoint.</summary>
    public IReadOnlyDictionary<string, double> Save()
    {
        var state = new SortedDictionary<string, double>(StringComparer.Ordinal)
        {
            ["rate.factor"] = _rateFactor, ["clip.factor"] = _clipFactor, ["warm.from"] = _warmFrom,
            ["rollback.factor"] = _rollbackFactor, ["rollback.ends"] = _rollbackEnds, ["alarm.lossspikes"] = _lossSpikesInARow,
            ["budget.nonfinite"] = _nonFiniteSkips, ["budget.spikes"] = _spikeSkips, ["budget.reductions"] = _reductions,
            ["budget.rollbacks"] = _rollbacks,
            ["alarm.nonfinite"] = _nonFiniteInARow, ["alarm.spikes"] = _spikesInARow, ["alarm.high"] = _highInARow,
            ["alarm.onset"] = _onset, ["alarm.probation"] = _probationEnds,
        };
        _skipped.Save(state);
        _detector.Save(state);
        return state;
    }

    /// <summary>Goes on where <see cref="Save"/> was called, under the same settings: of a resumed run, not of a rollback
    /// (<see cref="RolledBack"/>), which must not forget what it cost.</summary>
    /// <exception cref="KeyNotFoundException">Something is missing: the state is of another kind.</exception>
    public void Restore(IReadOnlyDictionary<string, double> state)
    {
        (_rateFactor, _clipFactor, _warmFrom) = (state["rate.factor"], state["clip.factor"], (long)state["warm.from"]);
        (_rollbackFactor, _rollbackEnds) = (state["rollback.factor"], (long)state["rollback.ends"]);
        _lossSpikesInARow = (long)state["alarm.lossspikes"];
        (_nonFiniteSkips, _spikeSkips) = ((long)state["budget.nonfinite"], (long)state["budget.spikes"]);
        (_reductions, _rollbacks) = ((long)state["budget.reductions"], (long)state["budget.rollbacks"]);
        (_nonFiniteInARow, _spikesInARow) = ((long)state["alarm.nonfinite"], (long)state["alarm.spikes"]);
        (_highInARow, _onset, _probationEnds) = ((long)state["alarm.high"], (long)state["alarm.onset"], (long)state["alarm.probation"]);
        _skipped.Restore(state);
        _detector.Restore(state);
    }
}

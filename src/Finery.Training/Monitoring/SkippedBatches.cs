namespace Finery.Training.Monitoring;

/// <summary>Batches a run passes over, as ranges that do not touch: steps stay numbered without gaps, the batches behind them have some.
/// Data is skipped, not banned: the same documents come again in the next epoch.</summary>
internal sealed class SkippedBatches
{
    private readonly List<(long From, long To)> _ranges = [];

    public long Count
    {
        get
        {
            long count = 0;
            foreach (var (from, to) in _ranges) count += to - from;
            return count;
        }
    }

    /// <summary>The batch of a step.</summary>
    public long BatchOf(long step)
    {
        long batch = step;
        foreach (var (from, to) in _ranges)
        {
            if (batch < from) break;
            batch += to - from;
        }
        return batch;
    }

    /// <summary>Passes over batches <paramref name="from"/> to below <paramref name="to"/> from now on.</summary>
    public void Add(long from, long to)
    {
        int at = 0;
        while (at < _ranges.Count && _ranges[at].To < from) at++;
        while (at < _ranges.Count && _ranges[at].From <= to)
        {
            (from, to) = (Math.Min(from, _ranges[at].From), Math.Max(to, _ranges[at].To));
            _ranges.RemoveAt(at);
        }
        _ranges.Insert(at, (from, to));
    }

    public void Save(IDictionary<string, double> state)
    {
        state["skipped.count"] = _ranges.Count;
        for (int i = 0; i < _ranges.Count; i++)
        {
            state[RollingWindow.Key("skipped.from", i)] = _ranges[i].From;
            state[RollingWindow.Key("skipped.to", i)] = _ranges[i].To;
        }
    }

    public void Restore(IReadOnlyDictionary<string, double> state)
    {
        _ranges.Clear();
        for (int i = 0; i < (int)state["skipped.count"]; i++)
            _ranges.Add(((long)state[RollingWindow.Key("skipped.from", i)], (long)state[RollingWindow.Key("skipped.to", i)]));
    }
}

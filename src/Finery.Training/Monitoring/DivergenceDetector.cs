namespace Finery.Training.Monitoring;

/// <summary>What the detector makes of a step.</summary>
/// <param name="IsSpike">Whether loss or gradient norm lie beyond the limit.</param>
/// <param name="LossSigmas">Standard deviations of the loss above the mean; NaN while the window is not active.</param>
/// <param name="NormSigmas">The same of the gradient norm.</param>
public readonly record struct DivergenceReading(bool IsSpike, double LossSigmas, double NormSigmas);

/// <summary>
/// Watches loss and gradient norm: spikes beyond so many standard deviations of the last values, the new one excluded (OLMo-core, llm.c;
/// pretraining reference 5), and a smoothed loss that leaves its best behind. A function of the values given to it alone.
/// </summary>
/// <param name="rung">Limits of a spike.</param>
/// <param name="window">Values of the window, active once half full.</param>
/// <param name="activeFrom">First step at which spikes are looked for: the end of warm-up.</param>
/// <param name="reduce">What makes a smoothed loss too high.</param>
public sealed class DivergenceDetector(SpikeRung rung, int window, long activeFrom, ReduceRung reduce)
{
    /// <summary>Steps that <see cref="SpikeScore"/> looks back on.</summary>
    public const int ScoreSteps = 10_000;

    private const int Thousand = 1000;

    private readonly RollingWindow _losses = new(window);
    private readonly RollingWindow _norms = new(window);
    private readonly Queue<long> _spikes = new();
    private double _smoothedSum;
    private double _smoothedWeight;
    private double _best = double.PositiveInfinity;
    private long _observed;
    private long _last;
    private long _countFrom;

    /// <summary>Mean loss of about the last 1 / (1 - smoothing) steps; NaN before the first.</summary>
    public double SmoothedLoss => _smoothedWeight == 0 ? double.NaN : _smoothedSum / _smoothedWeight;

    /// <summary>Whether <see cref="SmoothedLoss"/> is of enough steps to be compared: half its weight, so that one lucky batch is no best.</summary>
    public bool IsSettled => _smoothedWeight >= 0.5;

    /// <summary>Lowest settled <see cref="SmoothedLoss"/> since data or weights last changed.</summary>
    public double BestLoss => _best;

    /// <summary>Share of the last 10,000 steps that were spikes (OLMo-core).</summary>
    public double SpikeScore => _observed == 0 ? 0 : _spikes.Count / (double)Math.Min(_observed, ScoreSteps);

    /// <summary>Spikes of the last 1,000 steps, those before a reduction not counted.</summary>
    public int RecentSpikes
    {
        get
        {
            int count = 0;
            foreach (long step in _spikes)
            {
                if (step > _last - Thousand && step >= _countFrom) count++;
            }
            return count;
        }
    }

    /// <summary>Looks at a step with finite values; nothing is remembered of it yet but that it was a spike.</summary>
    public DivergenceReading Read(long step, double loss, double norm)
    {
        (_observed, _last) = (_observed + 1, step);
        while (_spikes.TryPeek(out long oldest) && oldest <= step - ScoreSteps) _spikes.Dequeue();
        double lossSigmas = double.NaN, normSigmas = double.NaN;
        if (step >= activeFrom && _losses.IsHalfFull)
        {
            lossSigmas = _losses.Sigmas(loss);
            normSigmas = _norms.Sigmas(norm);
        }
        bool spike = lossSigmas > rung.Sigmas || (normSigmas > rung.Sigmas && norm > rung.NormRatio * _norms.Mean);
        if (spike) _spikes.Enqueue(step);
        return new(spike, lossSigmas, normSigmas);
    }

    /// <summary>Takes a step's values into the windows: not those of a spike, which would hide the next.</summary>
    public void Keep(double loss, double norm)
    {
        _losses.Add(loss);
        _norms.Add(norm);
    }

    /// <summary>Takes an applied step's loss into the smoothed one.</summary>
    /// <returns>Whether it is too far above its best now.</returns>
    public bool Smooth(double loss)
    {
        _smoothedSum = reduce.Smoothing * _smoothedSum + (1 - reduce.Smoothing) * loss;
        _smoothedWeight = reduce.Smoothing * _smoothedWeight + (1 - reduce.Smoothing);
        if (!IsSettled) return false;
        double smoothed = SmoothedLoss;
        _best = Math.Min(_best, smoothed);
        return smoothed > _best + Math.Max(reduce.LossMargin, (reduce.LossRatio - 1) * Math.Abs(_best));
    }

    /// <summary>Begins new windows and a new smoothed loss.</summary>
    /// <param name="keepBest">Whether it is still compared with the best before: after a change of learning rate, not of data.</param>
    public void Rearm(bool keepBest)
    {
        _losses.Clear();
        _norms.Clear();
        (_smoothedSum, _smoothedWeight, _countFrom) = (0, 0, _last + 1);
        if (!keepBest) _best = double.PositiveInfinity;
    }

    /// <summary>Forgets everything at and beyond <paramref name="step"/>, and windows and best with it: after a rollback.</summary>
    public void Reset(long step)
    {
        _last = step - 1;
        Rearm(keepBest: false);
        int kept = _spikes.Count;
        for (int i = 0; i < kept; i++)
        {
            if (_spikes.Dequeue() is var spike && spike < step) _spikes.Enqueue(spike);
        }
    }

    internal void Save(IDictionary<string, double> state)
    {
        _losses.Save("window.loss", state);
        _norms.Save("window.norm", state);
        state["smoothed.sum"] = _smoothedSum;
        state["smoothed.weight"] = _smoothedWeight;
        state["smoothed.best"] = _best;
        state["observed"] = _observed;
        state["last"] = _last;
        state["spikes.from"] = _countFrom;
        state["spikes.count"] = _spikes.Count;
        int i = 0;
        foreach (long step in _spikes) state[RollingWindow.Key("spikes", i++)] = step;
    }

    internal void Restore(IReadOnlyDictionary<string, double> state)
    {
        _losses.Restore("window.loss", state);
        _norms.Restore("window.norm", state);
        (_smoothedSum, _smoothedWeight, _best) = (state["smoothed.sum"], state["smoothed.weight"], state["smoothed.best"]);
        (_observed, _last, _countFrom) = ((long)state["observed"], (long)state["last"], (long)state["spikes.from"]);
        _spikes.Clear();
        for (int i = 0; i < (int)state["spikes.count"]; i++) _spikes.Enqueue((long)state[RollingWindow.Key("spikes", i)]);
    }
}

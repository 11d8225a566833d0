using Finery.Data.Batches;
using Finery.Models;
using Finery.Models.Llama;
using Finery.Models.Weights;
using Finery.Tensors;
using Finery.Training.Optimizers;

namespace Finery.Training.Monitoring;

/// <summary>Receives measurements.</summary>
/// <param name="step">From 0.</param>
/// <param name="values">Names and values, valid during the call; NaN where something could not be measured.</param>
public delegate void MonitorHook(long step, ReadOnlySpan<(string Name, double Value)> values);

/// <summary>
/// Measures a run without touching it (pretraining reference 5): cheap values every step, weights, gradients, updates and activations every
/// K steps. The loop calls <see cref="Begin"/>, <see cref="Look"/> with the logits of the step and <see cref="End"/>; the optimizer calls
/// <see cref="IUpdateObserver"/>. All names begin with <c>monitor/</c>.
/// </summary>
public sealed class TrainingMonitor : IUpdateObserver, IDisposable
{
    private readonly MonitoringSettings _settings;
    private readonly ParameterWatch _parameters;
    private readonly ActivationProbe _probe;
    private readonly int _layers, _heads;
    private readonly (string Name, double Value)[] _cheap, _all;
    private readonly int _headsAt, _layersAt, _parametersAt, _probeAt;
    private readonly double[] _sourceSums, _sourceCounts;
    private readonly List<(int Series, Alarm Alarm)> _alarms = [];
    private readonly List<(int Series, Alarm Alarm)> _rateAlarms = [];
    private double _highestRate;
    private bool _due;
    private bool _updated;

    /// <summary>Records the probe and allocates everything.</summary>
    /// <param name="kernels">Does the work of the probe.</param>
    /// <param name="model">Watched.</param>
    /// <param name="parameters">The model's and the loss's.</param>
    /// <param name="batch">A filled batch, whose first rows are the probe.</param>
    /// <param name="settings">What and how often.</param>
    /// <param name="sources">Names of sources whose loss is given to <see cref="AddLoss"/>.</param>
    public TrainingMonitor(
        Kernels kernels, LlamaModel model, IReadOnlyList<Parameter> parameters, PackedBatch batch, MonitoringSettings settings,
        IReadOnlyList<string>? sources = null)
    {
        _settings = settings;
        (_layers, _heads) = (model.Config.LayerCount, model.Config.HeadCount);
        _parameters = new(parameters);
        _probe = new(kernels, model, settings, batch);
        sources ??= [];
        (_sourceSums, _sourceCounts) = (new double[sources.Count], new double[sources.Count]);
        string[] cheap = ["monitor/max_logit", "monitor/clipped_norm", .. sources.Select(source => "monitor/loss/" + source)];
        string[] heads = [.. Enumerable.Range(0, _layers).SelectMany(layer =>
            Enumerable.Range(0, _heads).Select(head => $"monitor/layer{layer}/head{head}/max_logit"))];
        string[] layers = [.. Enumerable.Range(0, _layers).Select(layer => $"monitor/layer{layer}/max_logit")];
        (_headsAt, _layersAt) = (cheap.Length, cheap.Length + heads.Length);
        _parametersAt = _layersAt + layers.Length + 1;
        _probeAt = _parametersAt + _parameters.Names.Count;
        _all = [.. cheap.Concat(heads).Concat(layers).Append("monitor/non_finite").Concat(_parameters.Names).Concat(_probe.Names).Select(name => (name, double.NaN))];
        _cheap = _all[..cheap.Length];
        ClearHeads();
        AddAlarms();
    }

    /// <summary>Receives the values of every step, and all of them where a measurement is due.</summary>
    public MonitorHook? OnValues { get; set; }

    /// <summary>Receives alerts.</summary>
    public Action<TrainingAlert>? OnAlert { get; set; }

    /// <summary>What must be in a checkpoint for the same measurements after an interruption.</summary>
    public IReadOnlyList<NamedTensor> State => _probe.State;

    /// <summary>Before a step.</summary>
    /// <param name="step">From 0.</param>
    public void Begin(long step)
    {
        if (!_probe.HasStart) _probe.Run();
        _due = step % _settings.EverySteps == 0;
        _updated = false;
        _parameters.IsActive = _due;
        if (_due) _parameters.Clear();
        _cheap[0].Value = double.NegativeInfinity;
        _sourceSums.AsSpan().Clear();
        _sourceCounts.AsSpan().Clear();
    }

    /// <summary>After the forward passes of a step: takes its largest attention logits.</summary>
    /// <param name="maxLogits">[H] a layer (<see cref="MaxLogitTracker.Layers"/>); of layers behind the model's own nothing is told.</param>
    public void Look(IReadOnlyList<Tensor> maxLogits)
    {
        for (int layer = 0; layer < Math.Min(_layers, maxLogits.Count); layer++)
        {
            var heads = maxLogits[layer].Floats;
            for (int head = 0; head < heads.Length; head++)
            {
                ref double known = ref _all[_headsAt + layer * _heads + head].Value;
                known = Math.Max(known, heads[head]);
                ref double largest = ref _all[_layersAt + layer].Value;
                largest = Math.Max(largest, heads[head]);
                _cheap[0].Value = Math.Max(_cheap[0].Value, heads[head]);
            }
        }
    }

    /// <summary>Adds to a source's loss of this step.</summary>
    /// <param name="source">Index of the source.</param>
    /// <param name="sum">Sum of losses in nats.</param>
    /// <param name="count">Targets they are of.</param>
    public void AddLoss(int source, double sum, double count)
    {
        _sourceSums[source] += sum;
        _sourceCounts[source] += count;
    }

    /// <inheritdoc/>
    public void BeforeUpdate(Parameter p) => _parameters.BeforeUpdate(p);

    /// <inheritdoc/>
    public void AfterUpdate(Parameter p)
    {
        _updated = true;
        _parameters.AfterUpdate(p);
    }

    /// <summary>After a step: measures where it is due, and reports.</summary>
    /// <param name="step">From 0.</param>
    /// <param name="gradientNorm">Global norm before clipping.</param>
    /// <param name="gradientScale">Factor of clipping.</param>
    /// <param name="learningRate">Of the step.</param>
    public void End(long step, double gradientNorm, double gradientScale, double learningRate)
    {
        _cheap[1].Value = gradientNorm * gradientScale;
        for (int i = 0; i < _sourceSums.Length; i++)
            _cheap[2 + i].Value = _sourceCounts[i] > 0 ? _sourceSums[i] / _sourceCounts[i] : double.NaN;
        _highestRate = Math.Max(_highestRate, learningRate);
        if (!_due)
        {
            OnValues?.Invoke(step, _cheap);
            return;
        }
        _cheap.CopyTo(_all, 0);
        _parameters.Write(_all.AsSpan(_parametersAt));
        _probe.Run();
        _probe.Write(_all.AsSpan(_probeAt));
        _all[_parametersAt - 1].Value = _parameters.NonFinite + _probe.NonFinite;
        OnValues?.Invoke(step, _all);
        foreach (var (series, alarm) in _alarms) Check(step, series, alarm);
        // A small update under a small learning rate is as it should be; a skipped step has none.
        if (_updated)
        {
            foreach (var (series, alarm) in _rateAlarms)
            {
                if (learningRate >= _highestRate / 2 || _all[series].Value > _settings.Alerts.UpdateRatioAbove) Check(step, series, alarm);
            }
        }
        ClearHeads();
        _parameters.IsActive = false;
    }

    /// <summary>Frees the probe.</summary>
    public void Dispose()
    {
        _probe.Dispose();
        _parameters.Dispose();
    }

    private void Check(long step, int series, Alarm alarm)
    {
        if (alarm.Check(step, _all[series].Value) is { } alert) OnAlert?.Invoke(alert);
    }

    private void ClearHeads()
    {
        for (int i = _headsAt; i < _parametersAt - 1; i++) _all[i].Value = double.NegativeInfinity;
    }

    private void AddAlarms()
    {
        var limits = _settings.Alerts;
        Alarm New(string what, string where, double limit, bool above, string advice) => new(what, where, limit, above, advice, limits.Confirm);
        for (int layer = 0; layer < _layers; layer++)
        {
            string where = $"layer {layer}";
            for (int head = 0; head < _heads; head++)
            {
                _alarms.Add((_headsAt + layer * _heads + head, New("largest attention logit", $"{where}, head {head}", limits.MaxLogitAbove,
                    above: true, "use QK-norm or QK-clip, or lower the learning rate")));
            }
            void Add(string series, string what, double limit, bool above, string advice) =>
                _alarms.Add((_probeAt + ActivationProbe.SeriesOf(layer, series), New(what, where, limit, above, advice)));
            Add("attention_entropy_mean", "attention entropy", limits.EntropyBelow, above: false,
                "attention sees single tokens; lower the learning rate or use QK-norm");
            Add("dead_units", "share of dead units", limits.DeadShareAbove, above: true, "lower the learning rate or check the initialisation");
            Add("effective_rank", "effective rank of activations", limits.EffectiveRankBelow, above: false,
                "representations collapse; look at data and learning rate");
        }
        _alarms.Add((_parametersAt - 1, new("number of values that are not finite", "weights, gradients and activations", 0, above: true,
            "roll back to a checkpoint without them, at a lower learning rate", confirm: 1)));
        for (int i = 0; i < _parameters.Names.Count; i++)
        {
            string name = _parameters.Names[i];
            if (!name.EndsWith("/update_ratio", StringComparison.Ordinal) || name.Contains("/layer", StringComparison.Ordinal)) continue;
            string kind = name.Split('/')[1];
            _rateAlarms.Add((_parametersAt + i, New("relative update", kind, limits.UpdateRatioBelow, above: false, "it hardly learns; raise the learning rate")));
            _rateAlarms.Add((_parametersAt + i, New("relative update", kind, limits.UpdateRatioAbove, above: true, "it may diverge; lower the learning rate")));
        }
    }
}

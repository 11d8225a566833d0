using System.Diagnostics;
using Finery.Data.Batches;
using Finery.Models;
using Finery.Models.Llama;
using Finery.Tensors;
using Finery.Training.Averaging;
using Finery.Training.Losses;
using Finery.Training.Monitoring;
using Finery.Training.Optimizers;
using Finery.Training.Schedules;

namespace Finery.Training;

/// <summary>
/// The one loop of every stage: batch, forward, loss, backward, clipping, update. The forward pass is recorded once a phase; after the
/// first steps a step allocates nothing. Results are a function of model, data, settings and seed alone, however often the run is
/// interrupted.
/// </summary>
public sealed partial class TrainingLoop : IDisposable
{
    // Smooths over about 50 steps.
    private const double Smoothing = 0.98;

    private readonly Kernels _kernels;
    private readonly LlamaModel _model;
    private readonly IReadOnlyList<TrainingPhase> _phases;
    private readonly long[] _phaseEnds;
    private readonly TrainingLoss _loss;
    private readonly Optimizer _optimizer;
    private readonly LearningRateSchedule _schedule;
    private readonly TrainingLoopSettings _settings;
    private readonly CheckpointFolder? _checkpoints;

    private TrainingPhase _phase = null!;
    private PackedBatch _batch = null!;
    private TrainingPass? _pass;
    private readonly GradientNorms _norms;
    private readonly GradientClipper _clipper;
    private readonly QkClipping? _qkClip;
    private readonly MaxLogitTracker? _maxLogits;
    private readonly RepairLadder _repair;
    private readonly List<RepairEvent> _repairEvents = [];
    private readonly TrainingMonitor? _monitor;
    private double _flopsPerToken;

    private long _step;
    private long _tokensSeen;
    private long _skipped;
    private double _smoothedSum;
    private double _smoothedWeight;

    /// <summary>A run of one phase.</summary>
    /// <inheritdoc cref="TrainingLoop(Kernels, LlamaModel, IReadOnlyList{TrainingPhase}, TrainingLoss, Optimizer, LearningRateSchedule, TrainingLoopSettings)"/>
    public TrainingLoop(
        Kernels kernels, LlamaModel model, IBatchSource source, TrainingLoss loss, Optimizer optimizer, LearningRateSchedule schedule,
        TrainingLoopSettings settings)
        : this(kernels, model, [new() { Steps = settings.Steps, Source = source, MicroBatches = settings.MicroBatches }],
            loss, optimizer, schedule, settings)
    {
    }

    /// <summary>Records the forward pass of the first phase.</summary>
    /// <param name="kernels">Does the work.</param>
    /// <param name="model">Trained in place.</param>
    /// <param name="phases">One after the other, the whole run.</param>
    /// <param name="loss">What is minimised.</param>
    /// <param name="optimizer">Over the parameters of <paramref name="model"/> and <paramref name="loss"/>; not disposed here.</param>
    /// <param name="schedule">Learning rate by step of the run.</param>
    /// <param name="settings">The rest.</param>
    /// <exception cref="ArgumentException">Settings, schedule, loss and batches do not fit; the message lists every fault.</exception>
    public TrainingLoop(
        Kernels kernels, LlamaModel model, IReadOnlyList<TrainingPhase> phases, TrainingLoss loss, Optimizer optimizer,
        LearningRateSchedule schedule, TrainingLoopSettings settings)
    {
        (_kernels, _model, _phases, _loss) = (kernels, model, phases, loss);
        (_optimizer, _schedule, _settings) = (optimizer, schedule, settings);
        _phaseEnds = new long[phases.Count];
        for (int i = 0; i < phases.Count; i++) _phaseEnds[i] = (i == 0 ? 0 : _phaseEnds[i - 1]) + phases[i].Steps;
        string[] errors = [.. Validate()];
        if (errors.Length > 0) throw new ArgumentException("Training: " + string.Join(" ", errors));
        foreach (var phase in phases) loss.Check(phase.Source);
        Parameters = [.. model.Parameters, .. loss.Parameters];
        if (settings.CheckpointFolder is { } folder) _checkpoints = new(folder, settings.Retention);
        (_initialTheta, _initialScaling) = (model.Config.RopeTheta, model.Config.RopeScaling);
        _identity = Identity();
        _repair = new(settings.Repair, TotalSteps, schedule.Warmup(TotalSteps))
        {
            OnEvent = happened =>
            {
                _repairEvents.Add(happened);
                OnRepair?.Invoke(happened);
            },
        };
        _norms = new(Parameters);
        _clipper = settings.Clip.Create(Parameters);
        if (settings.QkClip is { } qkClip) _qkClip = new(optimizer, qkClip, model.Config.Attention, settings.Seed);
        if (settings.Average is { } average) Average = new(model.Parameters, average, TotalSteps);
        Enter(phases[0]);
        if (settings.Monitoring is { Enabled: true } monitoring)
        {
            phases[0].Source.Fill(0, _batch);
            _monitor = new(kernels, model, Parameters, _batch, monitoring, settings.Sources.Count > 1 ? settings.Sources : [])
            {
                OnValues = (step, values) => OnMonitor?.Invoke(step, values),
                OnAlert = alert => OnAlert?.Invoke(alert),
            };
            optimizer.Observer = _monitor;
        }
        if (_qkClip is not null || _monitor is not null) _maxLogits = new(_pass!.MaxLogits.Count, model.Config.HeadCount);
    }

    /// <summary>What is trained: the model's parameters, then the loss's own.</summary>
    public IReadOnlyList<Parameter> Parameters { get; }

    /// <summary>The mean of the weights so far; null where none is kept.</summary>
    public WeightAverage? Average { get; }

    /// <summary>Steps of the whole run.</summary>
    public long TotalSteps => _phaseEnds[^1];

    /// <summary>The phase of the step in progress, or of the last one.</summary>
    public TrainingPhase Phase => _phase;

    /// <summary>First hook of a step: its figures.</summary>
    public StepHook? OnStep { get; set; }

    /// <summary>Second hook: evaluation when due, with the number of steps done.</summary>
    public Action<long>? OnEvaluation { get; set; }

    /// <summary>Third hook: whether to stop now, for instance on a budget of time. A stop is not an interruption: the run is finished.</summary>
    public Func<bool>? ShouldStop { get; set; }

    /// <summary>Fourth hook: whether to write a checkpoint now and go on.</summary>
    public Func<bool>? CheckpointRequested { get; set; }

    /// <summary>Last hook: a checkpoint was written; steps done and path.</summary>
    public Action<long, string>? OnCheckpoint { get; set; }

    /// <summary>Measurements of the monitor.</summary>
    public MonitorHook? OnMonitor { get; set; }

    /// <summary>Measurements that deserve a look.</summary>
    public Action<TrainingAlert>? OnAlert { get; set; }

    /// <summary>What was done about a diverging run.</summary>
    public Action<RepairEvent>? OnRepair { get; set; }

    /// <summary>Told of what a user should know but need not act on: damaged checkpoints, skipped steps.</summary>
    public Action<string>? OnWarning { get; set; }

    /// <summary>Bytes of activations, their gradients and inputs, in this phase.</summary>
    public long ActivationBytes => _pass?.Bytes ?? 0;

    /// <summary>Steps done.</summary>
    public long Step => _step;

    /// <summary>How often the run went back to a checkpoint: which branch it is on.</summary>
    public int Attempt => (int)_repair.Rollbacks;

    /// <summary>Trains until all steps are done, a hook stops it, or it is cancelled; the step in progress is always finished.</summary>
    /// <param name="stop">Cancels between two steps, after a checkpoint.</param>
    /// <exception cref="DivergedException">Loss or gradients were not finite several times in a row.</exception>
    public TrainingResult Run(CancellationToken stop = default)
    {
        long from = _step, tokensBefore = _tokensSeen, ticks = 0, lastCheckpoint = Stopwatch.GetTimestamp();
        var outcome = TrainingOutcome.Completed;
        // Something to go back to from the first steps.
        if (_step == 0 && _settings.CheckpointEverySteps > 0) SaveCheckpoint(healthy: true);
        while (_step < TotalSteps)
        {
            if (stop.IsCancellationRequested)
            {
                outcome = TrainingOutcome.Interrupted;
                break;
            }
            long before = _step;
            ticks += RunStep();
            if (_step <= before) continue;
            if (IsDue(_settings.EvaluateEverySteps)) OnEvaluation?.Invoke(_step);
            if (ShouldStop?.Invoke() == true)
            {
                outcome = TrainingOutcome.Stopped;
                break;
            }
            bool late = _settings.CheckpointEverySeconds > 0
                && Stopwatch.GetElapsedTime(lastCheckpoint).TotalSeconds >= _settings.CheckpointEverySeconds;
            // Not while an alarm is open: a run must not return to what it is to be saved from.
            bool due = _settings.CheckpointEverySteps > 0 && _step % _settings.CheckpointEverySteps == 0;
            if (_step < TotalSteps && (late || due || CheckpointRequested?.Invoke() == true))
            {
                SaveCheckpoint(healthy: due && _repair.IsHealthy);
                lastCheckpoint = Stopwatch.GetTimestamp();
            }
        }
        if (_step > from || outcome == TrainingOutcome.Interrupted) SaveCheckpoint(healthy: false);
        double seconds = ticks / (double)Stopwatch.Frequency;
        return new(outcome, _step, from, _tokensSeen, _skipped, SmoothedLoss, (_tokensSeen - tokensBefore) / seconds);
    }

    /// <summary>Frees activations. Model and optimizer live on.</summary>
    public void Dispose()
    {
        if (ReferenceEquals(_optimizer.Observer, _monitor)) _optimizer.Observer = null;
        _monitor?.Dispose();
        _maxLogits?.Dispose();
        Average?.Dispose();
        _pass?.Dispose();
    }

    private double SmoothedLoss => _smoothedWeight == 0 ? double.NaN : _smoothedSum / _smoothedWeight;

    private IEnumerable<string> Validate()
    {
        if (_phases.Count == 0 || _phases.Any(phase => phase.Steps < 1))
        {
            yield return "a run, and each of its phases, needs at least 1 step.";
            yield break;
        }
        foreach (string error in _schedule.Validate(TotalSteps)) yield return error;
        foreach (var phase in _phases)
        {
            if (phase.MicroBatches < 1 || phase.Source.Rows % phase.MicroBatches != 0)
                yield return $"{phase.Source.Rows} rows cannot be cut into {phase.MicroBatches} micro-batches.";
            if (phase.Source.Length > _model.Config.SequenceLength && phase.Source is not PreferenceBatches)
                yield return $"Rows have {phase.Source.Length} tokens, the model reads {_model.Config.SequenceLength}.";
            if (phase.Schedule is { } part)
                foreach (string error in part.Schedule.Validate(part.Steps)) yield return error;
        }
        foreach (var (_, message) in _settings.Clip.Validate()) yield return $"Clipping: {message}.";
    }

    private bool IsDue(long every) => every > 0 && (_step % every == 0 || _step == TotalSteps);

    /// <summary>One step; returns its ticks.</summary>
    private long RunStep()
    {
        EnterPhaseOf(_step);
        long start = Stopwatch.GetTimestamp(), step = _step, batchStep = _repair.BatchOf(step);
        double rate = _phase.RateScale * (_phase.Schedule?.At(step) ?? _schedule.At(step, TotalSteps)) * _repair.RateScale(step);
        double epoch = _phase.Source.EpochAt(batchStep);
        double loss, norm, scale = 1;
        RepairDecision decision;
        string? fault = null;
        int? clippedHeads = null;
        _monitor?.Begin(step);
        using (_kernels.Measure("step"))
        {
            loss = LossAndGradients(batchStep);
            Inject(batchStep, ref rate);
            _norms.Measure(_kernels);
            norm = _norms.Global;
            bool finite = double.IsFinite(loss) && double.IsFinite(norm);
            decision = _repair.Decide(step, loss, norm, finite);
            if (decision.Action == RepairAction.Continue)
            {
                var scales = _clipper.Clip(_norms, _repair.ClipScale);
                scale = norm > 0 ? _clipper.ClippedNorm / norm : 1;
                using (_kernels.Measure("optimizer"))
                {
                    _optimizer.Step(_kernels, rate, scales);
                    clippedHeads = _qkClip?.Apply(_kernels, _maxLogits!.Layers);
                }
            }
            else
            {
                if (!finite) fault = FindFault();
                GradientClipping.Clear(Parameters);
            }
        }
        Average?.Update(step);
        bool skipped = decision.Action != RepairAction.Continue;
        Count(loss, skipped);
        long ticks = Stopwatch.GetTimestamp() - start;
        double tokensPerSecond = _batch.Count * (double)Stopwatch.Frequency / Math.Max(1, ticks);
        double utilisation = _settings.PeakFlops > 0 ? tokensPerSecond * _flopsPerToken / _settings.PeakFlops : 0;
        _monitor?.End(step, norm, scale, rate);
        OnStep?.Invoke(
            new(step, TotalSteps, loss, SmoothedLoss, rate, norm, scale, _tokensSeen, tokensPerSecond, utilisation, epoch, skipped)
            {
                Attempt = Attempt,
                ClippedHeads = clippedHeads,
            },
            _loss.Metrics);
        if (skipped) Act(decision, fault);
        return ticks;
    }

    /// <summary>Forward and backward over all micro-batches; returns the loss.</summary>
    private double LossAndGradients(long batchStep)
    {
        using (_kernels.Measure("batch")) _phase.Source.Fill(batchStep, _batch);
        _loss.BeginStep(_step, batchStep, TotalSteps);
        _maxLogits?.Reset();
        double loss = 0;
        for (int first = 0; first < _batch.Count; first += _pass!.Tokens)
        {
            loss += _pass!.Run(_batch, first);
            _maxLogits?.Observe(_pass.MaxLogits);
            if (_settings.Sources.Count > 1) AddSourceLosses(first, _pass.TokenLosses);
        }
        if (_maxLogits is not null) _monitor?.Look(_maxLogits.Layers);
        return loss;
    }

    private void AddSourceLosses(int first, ReadOnlySpan<float> losses)
    {
        for (int i = 0; i < losses.Length && _monitor is not null; i += _batch.Length)
        {
            double sum = 0;
            int count = 0;
            for (int j = i; j < i + _batch.Length; j++)
            {
                sum += losses[j];
                count += _batch.Targets[first + j] >= 0 ? 1 : 0;
            }
            _monitor.AddLoss(_batch.Sources[(first + i) / _batch.Length], sum, count);
        }
    }

    private void Inject(long batchStep, ref double rate)
    {
        for (int k = 0; k < _settings.Faults.Count; k++)
        {
            var fault = _settings.Faults[k];
            if (!fault.Covers(batchStep)) continue;
            rate *= fault.RateScale;
            for (int i = 0; i < Parameters.Count && fault.GradientScale != 1; i++)
            {
                var gradient = Parameters[i].Weight.Gradient!.Floats;
                for (int j = 0; j < gradient.Length; j++) gradient[j] *= (float)fault.GradientScale;
            }
            if (fault.NotANumber) Parameters[^1].Weight.Gradient!.Floats[0] = float.NaN;
        }
    }

    /// <summary>Computes the step in progress once more, op by op, to name the first value that is not finite.</summary>
    private string FindFault()
    {
        GradientClipping.Clear(Parameters);
        NonFinite? found = null;
        for (int first = 0; first < _batch.Count && found is null; first += _pass!.Tokens) found = _pass!.Check(_batch, first);
        return found?.ToString() ?? "every value of the model and its gradients is finite, the loss or the norm made of them is not";
    }

    private void Count(double loss, bool skipped)
    {
        _step++;
        _tokensSeen += _batch.Count;
        if (skipped)
        {
            _skipped++;
            return;
        }
        _smoothedSum = Smoothing * _smoothedSum + (1 - Smoothing) * loss;
        _smoothedWeight = Smoothing * _smoothedWeight + (1 - Smoothing);
    }

    /// <summary>Does what a decision asks for besides not updating.</summary>
    private void Act(RepairDecision decision, string? fault)
    {
        string what = $"Step {_step - 1} was not applied: {decision.Diagnosis}" + (fault is null ? "." : $". First: {fault}.");
        if (decision.Action == RepairAction.Rollback && !RollBack(decision))
            decision = _repair.NoHealthyCheckpoint(_step - 1, decision.Onset);
        OnWarning?.Invoke(what);
        if (decision.Action != RepairAction.Stop) return;
        string? bundle = _settings.CheckpointFolder is { } folder
            ? new DiagnosticBundle(decision.Diagnosis!, _step - 1, decision.Onset, _repair.LastPoints, _repairEvents, Parameters).Write(folder) : null;
        throw new DivergedException($"{what} Training has diverged: {decision.Diagnosis}.") { Bundle = bundle };
    }
}

using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Finery.Data.Batches;
using Finery.Models;
using Finery.Models.Llama;
using Finery.Models.Weights;
using Finery.Tensors;
using Finery.Training.Losses;
using Finery.Training.Optimizers;
using Finery.Training.Schedules;

namespace Finery.Training;

/// <summary>Settings of <see cref="TrainingLoop"/>. What concerns checkpoints and hooks never changes what is computed.</summary>
public sealed record TrainingLoopSettings
{
    /// <summary>Length of the run in steps.</summary>
    public required long Steps { get; init; }

    /// <summary>Parts a batch's rows are cut into, their gradients added: less memory, the same step.</summary>
    public int MicroBatches { get; init; } = 1;

    /// <summary>What the backward pass computes again instead of keeping it: less memory, the same bits.</summary>
    public Recompute Recompute { get; init; }

    /// <summary>Global gradient norm above which gradients are scaled down.</summary>
    public double ClipNorm { get; init; } = 1;

    /// <summary>Peak FLOP/s of the machine, for <see cref="StepMetrics.Utilisation"/>.</summary>
    public double PeakFlops { get; init; }

    /// <summary>Consecutive steps without finite loss and gradient that end the run.</summary>
    public int SkipsUntilDiverged { get; init; } = 3;

    /// <summary>Folder of checkpoints; null keeps none.</summary>
    public string? CheckpointFolder { get; init; }

    /// <summary>A checkpoint after every so many steps; 0 for none by count.</summary>
    public long CheckpointEverySteps { get; init; }

    /// <summary>A checkpoint after so many seconds without one; 0 for none by time.</summary>
    public double CheckpointEverySeconds { get; init; }

    /// <summary>Evaluation after every so many steps, and after the last; 0 for none.</summary>
    public long EvaluateEverySteps { get; init; }

    /// <summary>What else makes the run this run and no other (seed, starting model): a checkpoint of another is refused.</summary>
    public IReadOnlyDictionary<string, string> Identity { get; init; } = new Dictionary<string, string>();
}

/// <summary>
/// The one loop of every stage: batch, forward, loss, backward, clipping, update. The tape is recorded once; after the first steps a
/// step allocates nothing. Results are a function of model, data, settings and seed alone, however often the run is interrupted.
/// </summary>
public sealed class TrainingLoop : IDisposable
{
    // Smooths over about 50 steps.
    private const double Smoothing = 0.98;

    private readonly Kernels _kernels;
    private readonly LlamaModel _model;
    private readonly IBatchSource _source;
    private readonly TrainingLoss _loss;
    private readonly Optimizer _optimizer;
    private readonly LearningRateSchedule _schedule;
    private readonly TrainingLoopSettings _settings;
    private readonly PackedBatch _batch;
    private readonly TrainingPass _pass;
    private readonly CheckpointFolder? _checkpoints;
    private readonly double _flopsPerToken;

    private long _step;
    private long _tokensSeen;
    private long _skipped;
    private long _skippedInARow;
    private double _smoothedSum;
    private double _smoothedWeight;

    /// <summary>Records the forward pass for one micro-batch.</summary>
    /// <param name="kernels">Does the work.</param>
    /// <param name="model">Trained in place.</param>
    /// <param name="source">Batches by step.</param>
    /// <param name="loss">What is minimised.</param>
    /// <param name="optimizer">Over the parameters of <paramref name="model"/>; not disposed here.</param>
    /// <param name="schedule">Learning rate by step.</param>
    /// <param name="settings">The rest.</param>
    /// <exception cref="ArgumentException">Settings, schedule, loss and batches do not fit; the message lists every fault.</exception>
    public TrainingLoop(
        Kernels kernels, LlamaModel model, IBatchSource source, TrainingLoss loss, Optimizer optimizer, LearningRateSchedule schedule,
        TrainingLoopSettings settings)
    {
        (_kernels, _model, _source, _loss) = (kernels, model, source, loss);
        (_optimizer, _schedule, _settings) = (optimizer, schedule, settings);
        string[] errors = [.. Validate()];
        if (errors.Length > 0) throw new ArgumentException("Training: " + string.Join(" ", errors));
        loss.Check(source);

        _batch = source.CreateBatch();
        _pass = loss.CreatePass(kernels, model, source.Rows / settings.MicroBatches * source.Length, settings.Recompute);
        _flopsPerToken = model.Config.TrainingFlopsPerToken(source.Length);
        if (settings.CheckpointFolder is { } folder) _checkpoints = new(folder);
    }

    /// <summary>First hook of a step: its figures.</summary>
    public StepHook? OnStep { get; set; }

    /// <summary>Second hook: evaluation when due, with the number of steps done.</summary>
    public Action<long>? OnEvaluation { get; set; }

    /// <summary>Third hook: whether to stop now, for instance on a budget of time. A stop is not an interruption: the run is finished.</summary>
    public Func<bool>? ShouldStop { get; set; }

    /// <summary>Last hook: a checkpoint was written; steps done and path.</summary>
    public Action<long, string>? OnCheckpoint { get; set; }

    /// <summary>Told of what a user should know but need not act on: damaged checkpoints, skipped steps.</summary>
    public Action<string>? OnWarning { get; set; }

    /// <summary>Bytes of activations, their gradients and inputs.</summary>
    public long ActivationBytes => _pass.Bytes;

    /// <summary>Steps done.</summary>
    public long Step => _step;

    /// <summary>Continues from the newest whole checkpoint, if there is one.</summary>
    /// <returns>Whether there was one.</returns>
    /// <exception cref="CheckpointMismatchException">The checkpoint is of another run.</exception>
    public bool Resume()
    {
        if (_checkpoints?.Restore(Identity(), StateTensors(), OnWarning) is not { } state) return false;
        _step = state.Step;
        _optimizer.Updates = (long)state.Numbers["updates"];
        _tokensSeen = (long)state.Numbers["tokens"];
        _skipped = (long)state.Numbers["skipped"];
        _skippedInARow = (long)state.Numbers["skippedInARow"];
        _smoothedSum = state.Numbers["smoothedSum"];
        _smoothedWeight = state.Numbers["smoothedWeight"];
        return true;
    }

    /// <summary>Trains until all steps are done, a hook stops it, or it is cancelled; the step in progress is always finished.</summary>
    /// <param name="stop">Cancels between two steps, after a checkpoint.</param>
    /// <exception cref="DivergedException">Loss or gradients were not finite several times in a row.</exception>
    public TrainingResult Run(CancellationToken stop = default)
    {
        long from = _step, ticks = 0, lastCheckpoint = Stopwatch.GetTimestamp();
        var outcome = TrainingOutcome.Completed;
        while (_step < _settings.Steps)
        {
            if (stop.IsCancellationRequested)
            {
                outcome = TrainingOutcome.Interrupted;
                break;
            }
            ticks += RunStep();
            if (IsDue(_settings.EvaluateEverySteps)) OnEvaluation?.Invoke(_step);
            if (ShouldStop?.Invoke() == true)
            {
                outcome = TrainingOutcome.Stopped;
                break;
            }
            bool late = _settings.CheckpointEverySeconds > 0
                && Stopwatch.GetElapsedTime(lastCheckpoint).TotalSeconds >= _settings.CheckpointEverySeconds;
            if (_step < _settings.Steps && (late || (_settings.CheckpointEverySteps > 0 && _step % _settings.CheckpointEverySteps == 0)))
            {
                SaveCheckpoint();
                lastCheckpoint = Stopwatch.GetTimestamp();
            }
        }
        if (_step > from || outcome == TrainingOutcome.Interrupted) SaveCheckpoint();
        double seconds = ticks / (double)Stopwatch.Frequency;
        return new(outcome, _step, from, _tokensSeen, _skipped, SmoothedLoss, (_step - from) * (double)_batch.Count / seconds);
    }

    /// <summary>Frees activations. Model and optimizer live on.</summary>
    public void Dispose() => _pass.Dispose();

    private double SmoothedLoss => _smoothedWeight == 0 ? double.NaN : _smoothedSum / _smoothedWeight;

    private IEnumerable<string> Validate()
    {
        if (_settings.Steps < 1) yield return $"{_settings.Steps} steps; at least 1 is needed.";
        else foreach (string error in _schedule.Validate(_settings.Steps)) yield return error;
        if (_settings.MicroBatches < 1 || _source.Rows % _settings.MicroBatches != 0)
            yield return $"{_source.Rows} rows cannot be cut into {_settings.MicroBatches} micro-batches.";
        if (!(_settings.ClipNorm > 0)) yield return $"The clipping norm is {_settings.ClipNorm}; it must be positive (infinity for no clipping).";
        if (_settings.SkipsUntilDiverged < 1) yield return "At least one skipped step must be allowed before a run counts as diverged.";
        if (_source.Length > _model.Config.SequenceLength && _source is not PreferenceBatches)
            yield return $"Rows have {_source.Length} tokens, the model reads {_model.Config.SequenceLength}.";
    }

    private bool IsDue(long every) => every > 0 && (_step % every == 0 || _step == _settings.Steps);

    /// <summary>One step; returns its ticks.</summary>
    private long RunStep()
    {
        long start = Stopwatch.GetTimestamp();
        double rate = _schedule.At(_step, _settings.Steps), epoch = _source.EpochAt(_step);
        double loss, norm, scale;
        bool skipped;
        string? fault = null;
        using (_kernels.Measure("step"))
        {
            loss = LossAndGradients();
            norm = GradientClipping.Norm(_kernels, _model.Parameters);
            scale = GradientClipping.Factor(norm, _settings.ClipNorm);
            skipped = !double.IsFinite(loss) || !double.IsFinite(norm);
            if (skipped) fault = FindFault();
            else using (_kernels.Measure("optimizer")) _optimizer.Step(_kernels, rate, (float)scale);
        }
        Count(loss, skipped);
        long ticks = Stopwatch.GetTimestamp() - start;
        double tokensPerSecond = _batch.Count * (double)Stopwatch.Frequency / Math.Max(1, ticks);
        double utilisation = _settings.PeakFlops > 0 ? tokensPerSecond * _flopsPerToken / _settings.PeakFlops : 0;
        OnStep?.Invoke(
            new(_step - 1, _settings.Steps, loss, SmoothedLoss, rate, norm, scale, _tokensSeen, tokensPerSecond, utilisation, epoch, skipped),
            _loss.Metrics);
        if (fault is not null) ReportSkip(loss, norm, fault);
        return ticks;
    }

    /// <summary>Forward and backward over all micro-batches; returns the loss.</summary>
    private double LossAndGradients()
    {
        using (_kernels.Measure("batch")) _source.Fill(_step, _batch);
        double loss = 0;
        for (int first = 0; first < _batch.Count; first += _pass.Tokens) loss += _pass.Run(_batch, first);
        return loss;
    }

    /// <summary>Computes the step in progress once more, op by op, to name the first value that is not finite. Leaves gradients zero.</summary>
    private string FindFault()
    {
        GradientClipping.Clear(_model.Parameters);
        NonFinite? found = null;
        for (int first = 0; first < _batch.Count && found is null; first += _pass.Tokens) found = _pass.Check(_batch, first);
        GradientClipping.Clear(_model.Parameters);
        return found?.ToString() ?? "every value of the model and its gradients is finite, the loss or the norm made of them is not";
    }

    private void Count(double loss, bool skipped)
    {
        _step++;
        _tokensSeen += _batch.Count;
        _skippedInARow = skipped ? _skippedInARow + 1 : 0;
        if (skipped)
        {
            _skipped++;
            return;
        }
        _smoothedSum = Smoothing * _smoothedSum + (1 - Smoothing) * loss;
        _smoothedWeight = Smoothing * _smoothedWeight + (1 - Smoothing);
    }

    private void ReportSkip(double loss, double norm, string fault)
    {
        string what = string.Create(
            CultureInfo.InvariantCulture, $"Step {_step - 1} was skipped: loss {loss}, gradient norm {norm}; weights are as before. First: {fault}.");
        OnWarning?.Invoke(what);
        if (_skippedInARow >= _settings.SkipsUntilDiverged)
        {
            throw new DivergedException(
                $"{what} {_skippedInARow} steps in a row were: training has diverged. Lower the learning rate or look at the data.");
        }
    }

    private void SaveCheckpoint()
    {
        if (_checkpoints is null) return;
        string path = _checkpoints.Save(
            new(_step, Identity(), new Dictionary<string, double>
            {
                ["updates"] = _optimizer.Updates,
                ["tokens"] = _tokensSeen,
                ["skipped"] = _skipped,
                ["skippedInARow"] = _skippedInARow,
                ["smoothedSum"] = _smoothedSum,
                ["smoothedWeight"] = _smoothedWeight,
            }),
            StateTensors());
        OnCheckpoint?.Invoke(_step, path);
    }

    private List<NamedTensor> StateTensors() =>
        [.. _model.Parameters.Select(parameter => new NamedTensor("model." + parameter.Name, parameter.Weight)), .. _optimizer.State];

    private SortedDictionary<string, string> Identity()
    {
        string config = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(_model.Config.ToJson())));
        var identity = new SortedDictionary<string, string>(StringComparer.Ordinal)
        {
            ["model"] = config,
            ["data"] = _source.Fingerprint,
            ["loss"] = _loss.Description,
            ["optimizer"] = _optimizer.Description,
            ["schedule"] = _schedule.ToString(),
            ["steps"] = _settings.Steps.ToString(CultureInfo.InvariantCulture),
            ["microBatches"] = _settings.MicroBatches.ToString(CultureInfo.InvariantCulture),
            ["clipNorm"] = _settings.ClipNorm.ToString("R", CultureInfo.InvariantCulture),
        };
        foreach (var (key, value) in _settings.Identity) identity["run." + key] = value;
        return identity;
    }
}

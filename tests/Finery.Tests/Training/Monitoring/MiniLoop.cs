using Finery.Data.Batches;
using Finery.Models.Llama;
using Finery.Tensors;
using Finery.Training;
using Finery.Training.Losses;
using Finery.Training.Monitoring;
using Finery.Training.Optimizers;

namespace Finery.Tests.Training.Monitoring;

/// <summary>What the training loop does with ladder and monitor, on a tiny model, with faults on demand.</summary>
internal sealed class MiniLoop : IDisposable
{
    private readonly Dictionary<long, (byte[][] Weights, byte[][] State, long Updates)> _healthy = [];
    private readonly TinyModel _tiny;
    private readonly PackedExamples _source = new(TinyModel.Examples(24), 16, 4, seed: 3);
    private readonly PackedBatch _batch;
    private readonly TrainingPass _pass;

    public MiniLoop(RepairSettings repair, MonitoringSettings? monitoring, long steps, int threads = 1)
    {
        _tiny = new(threads);
        Optimizer = new(_tiny.Model.Parameters, new() { WeightDecay = 0 });
        _batch = _source.CreateBatch();
        _pass = new NextTokenLoss().CreatePass(_tiny.Kernels, _tiny.Model, 32, Recompute.None);
        Ladder = new(repair, steps, 10) { OnEvent = Events.Add };
        if (monitoring is null) return;
        Monitor = Watch(monitoring);
        Optimizer.Observer = Monitor;
    }

    public RepairLadder Ladder { get; }

    public TrainingMonitor? Monitor { get; }

    public Sgd Optimizer { get; }

    public LlamaModel Model => _tiny.Model;

    public List<RepairEvent> Events { get; } = [];

    public List<double> Losses { get; } = [];

    public double Rate { get; init; } = 0.1;

    /// <summary>Factor on the gradients of a step; NaN spoils them.</summary>
    public Func<long, float> GradientFault { get; set; } = _ => 1;

    /// <summary>Factor on the learning rate of a step.</summary>
    public Func<long, double> RateFault { get; set; } = _ => 1;

    /// <summary>Runs steps; returns the decision that stopped it, or Continue.</summary>
    public RepairDecision Run(long from, long to)
    {
        for (long step = from; step < to;)
        {
            if (step % 10 == 0 && Ladder.IsHealthy) Save(step);
            Monitor?.Begin(step);
            _source.Fill(Ladder.BatchOf(step), _batch);
            double loss = 0;
            for (int first = 0; first < _batch.Count; first += _pass.Tokens)
            {
                loss += _pass.Run(_batch, first);
                Monitor?.Look(_pass.MaxLogits);
            }
            float fault = GradientFault(step);
            if (fault != 1)
            {
                foreach (var parameter in Model.Parameters)
                    foreach (ref float gradient in parameter.Weight.Gradient!.Floats) gradient *= fault;
            }
            Monitor?.AddLoss(0, loss, 1);
            double norm = GradientClipping.Norm(_tiny.Kernels, Model.Parameters), scale = GradientClipping.Factor(norm, 1 * Ladder.ClipScale);
            double rate = Rate * Ladder.RateScale(step) * RateFault(step);
            Losses.Add(loss);
            var decision = Ladder.Decide(step, loss, norm, double.IsFinite(loss) && double.IsFinite(norm));
            switch (decision.Action)
            {
                case RepairAction.Continue: Optimizer.Step(_tiny.Kernels, rate, (float)scale); break;
                case RepairAction.Stop: return decision;
                default: GradientClipping.Clear(Model.Parameters); break;
            }
            Monitor?.End(step, norm, scale, rate);
            step++;
            if (decision.Action != RepairAction.Rollback) continue;
            step = _healthy.Keys.Where(saved => saved <= decision.RestoreBefore).Max();
            Restore(step);
            Ladder.RolledBack(step);
        }
        return default;
    }

    /// <summary>A monitor of this run's model, on the run's first batch whenever it is made.</summary>
    public TrainingMonitor Watch(MonitoringSettings settings)
    {
        _source.Fill(0, _batch);
        return new(_tiny.Kernels, _tiny.Model, _tiny.Model.Parameters, _batch, settings, ["all"]);
    }

    public byte[] Weights() => _tiny.Weights();

    public void Dispose()
    {
        Monitor?.Dispose();
        _pass.Dispose();
        Optimizer.Dispose();
        _tiny.Dispose();
    }

    private void Save(long step) => _healthy[step] = (
        [.. Model.Parameters.Select(parameter => parameter.Weight.Bytes.ToArray())],
        [.. Optimizer.State.Select(state => state.Tensor.Bytes.ToArray())], Optimizer.Updates);

    private void Restore(long step)
    {
        var (weights, states, updates) = _healthy[step];
        for (int i = 0; i < weights.Length; i++) weights[i].CopyTo(Model.Parameters[i].Weight.Bytes);
        for (int i = 0; i < states.Length; i++) states[i].CopyTo(Optimizer.State[i].Tensor.Bytes);
        Optimizer.Updates = updates;
    }
}

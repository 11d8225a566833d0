using Finery.Data.Batches;
using Finery.Models;
using Finery.Models.Llama;
using Finery.Tensors;
using Finery.Training.Losses;

namespace Finery.Training;

/// <summary>
/// Forward pass, loss and backward pass of one micro-batch of a fixed number of tokens: recorded once, replayed without allocating. A
/// loss that needs more than the cross-entropy of every token makes its own (<see cref="TrainingLoss.CreatePass"/>).
/// </summary>
public abstract class TrainingPass : IDisposable
{
    /// <summary>N: tokens of a micro-batch.</summary>
    public abstract int Tokens { get; }

    /// <summary>Bytes of activations, their gradients and inputs.</summary>
    public abstract long Bytes { get; }

    /// <summary>[H] a layer: the largest attention logit of each head in the last micro-batch.</summary>
    public abstract IReadOnlyList<Tensor> MaxLogits { get; }

    /// <summary>[N]: cross-entropy of every token in the last micro-batch, 0 where there is no target; empty where it is not at hand.</summary>
    public virtual ReadOnlySpan<float> TokenLosses => [];

    /// <summary>Adds the gradients of tokens first..first + N - 1 of the step to those of the parameters.</summary>
    /// <returns>Their part of the step's loss.</returns>
    public abstract double Run(PackedBatch batch, int first);

    /// <summary>Like <see cref="Run"/>, but stops at the first value that is not finite.</summary>
    /// <returns>Where it is; null where all are finite.</returns>
    public abstract NonFinite? Check(PackedBatch batch, int first);

    /// <summary>Frees the activations.</summary>
    public abstract void Dispose();
}

/// <summary>The pass of a loss that is a weighted sum of cross-entropies: one tape.</summary>
internal sealed class CrossEntropyPass : TrainingPass
{
    private readonly Kernels _kernels;
    private readonly TrainingLoss _loss;
    private readonly Arena _arena = new("training");
    private readonly ModelInputs _inputs;
    private readonly Tensor _targets, _weights, _losses;
    private readonly Tensor? _logSumExp;
    private readonly Tape _tape;

    public CrossEntropyPass(Kernels kernels, LlamaModel model, TrainingLoss loss, int tokens, Recompute recompute)
    {
        (_kernels, _loss) = (kernels, loss);
        _inputs = new ModelInputs(_arena, tokens);
        _targets = _arena.Integers("targets", tokens);
        _weights = _arena.Floats("tokenWeights", tokens);
        _tape = new Tape(kernels, _arena, gradients: true, recompute, model.WeightType);
        _logSumExp = loss.CreateLogSums(_arena, tokens);
        _losses = model.Losses(_tape, _inputs, _targets, _weights, loss.WeightsKnown, loss.ZLoss, _logSumExp);
        _tape.Plan();
    }

    public override int Tokens => _inputs.Tokens;

    public override long Bytes => _arena.Bytes;

    public override IReadOnlyList<Tensor> MaxLogits => _tape.MaxLogits;

    public override ReadOnlySpan<float> TokenLosses => _losses.Floats;

    public override double Run(PackedBatch batch, int first)
    {
        Load(batch, first);
        using (_kernels.Measure("forward")) _tape.Forward();
        double loss = Evaluate(batch, first);
        using (_kernels.Measure("backward")) _tape.Backward();
        return loss;
    }

    public override NonFinite? Check(PackedBatch batch, int first)
    {
        Load(batch, first);
        if (_tape.CheckForward() is { } found) return found;
        Evaluate(batch, first);
        return _tape.CheckBackward();
    }

    public override void Dispose() => _arena.Dispose();

    private double Evaluate(PackedBatch batch, int first)
    {
        _loss.TakeOutZLoss(first, _losses, _logSumExp, _weights);
        return _loss.Evaluate(batch, first, _losses.Floats, _weights.Floats);
    }

    private void Load(PackedBatch batch, int first)
    {
        _inputs.Load(batch.Ids, batch.Positions, batch.Starts, first);
        batch.Targets.AsSpan(first, Tokens).CopyTo(_targets.Integers);
        _loss.Prepare(batch, first, _weights.Floats);
    }
}

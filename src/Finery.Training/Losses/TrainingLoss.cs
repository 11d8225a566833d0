using System.Globalization;
using Finery.Data.Batches;
using Finery.Models;
using Finery.Models.Llama;
using Finery.Tensors;

namespace Finery.Training.Losses;

/// <summary>
/// What is minimised: turns the cross-entropy of every token into the loss of a step, by way of one weight a token,
/// <c>dLoss / d(cross-entropy)</c>. The one training loop knows nothing else of a stage.
/// </summary>
public abstract class TrainingLoss : IDisposable
{
    /// <summary>Settings in words, part of a checkpoint's identity.</summary>
    public abstract string Description { get; }

    /// <summary>Whether the weights are known before the forward pass, which then need not be done twice.</summary>
    public abstract bool WeightsKnown { get; }

    /// <summary>Names of <see cref="Metrics"/>.</summary>
    public virtual IReadOnlyList<string> MetricNames => [];

    /// <summary>What else is known of the last step, in the order of <see cref="MetricNames"/>.</summary>
    public virtual ReadOnlySpan<double> Metrics => [];

    /// <summary>Fails unless this loss can be had from the batches of <paramref name="source"/>.</summary>
    /// <exception cref="ArgumentException">It cannot; the message says what is missing.</exception>
    public virtual void Check(IBatchSource source)
    {
    }

    /// <summary>lambda of the z-loss <c>lambda logsumexp(z)^2</c> that is added to every token's cross-entropy (pretraining reference
    /// 1.4); 0 for none. What <see cref="Evaluate"/> is given is without it.</summary>
    public virtual float ZLoss => 0;

    /// <summary>Told the z-loss of a micro-batch, where there is one, before <see cref="Evaluate"/>.</summary>
    /// <param name="first">First token of the micro-batch.</param>
    /// <param name="sum">Of its tokens, weighted.</param>
    protected internal virtual void NoteZLoss(int first, double sum)
    {
    }

    /// <summary>What <see cref="Description"/> ends with.</summary>
    private protected string ZLossDescription => ZLoss > 0 ? string.Create(CultureInfo.InvariantCulture, $" z-loss={ZLoss}") : "";

    /// <summary>[N] for the log-sum-exp of a micro-batch's logits, which <see cref="TakeOutZLoss"/> needs; null without z-loss.</summary>
    internal Tensor? CreateLogSums(Arena arena, int tokens) => ZLoss > 0 ? arena.Floats("logSumExp", tokens) : null;

    /// <summary>Leaves the cross-entropy in losses that have the z-loss too, and takes note of that; the gradients do not come from
    /// them.</summary>
    /// <param name="first">First token of the micro-batch.</param>
    /// <param name="losses">[N].</param>
    /// <param name="logSums">[N]; null where there is no z-loss.</param>
    /// <param name="weights">[N].</param>
    internal void TakeOutZLoss(int first, Tensor losses, Tensor? logSums, Tensor weights)
    {
        if (logSums is null) return;
        Span<float> values = losses.Floats, logs = logSums.Floats, factors = weights.Floats;
        double sum = 0;
        for (int i = 0; i < values.Length; i++)
        {
            double part = ZLoss * (double)logs[i] * logs[i];
            values[i] = (float)(values[i] - part);
            sum += part * factors[i];
        }
        NoteZLoss(first, sum);
    }

    /// <summary>Trainable tensors of this loss besides the model's, such as heads that are dropped after training.</summary>
    public virtual IReadOnlyList<Parameter> Parameters => [];

    /// <summary>Bytes of what the loss holds for as long as it lives: its parameters with their gradients, a teacher.</summary>
    public virtual long Bytes => 0;

    /// <summary>Records what a step runs for a micro-batch of <paramref name="tokens"/> tokens.</summary>
    /// <param name="kernels">Does the work.</param>
    /// <param name="model">Trained in place.</param>
    /// <param name="tokens">N.</param>
    /// <param name="recompute">What the backward pass computes again.</param>
    public virtual TrainingPass CreatePass(Kernels kernels, LlamaModel model, int tokens, Recompute recompute) =>
        new CrossEntropyPass(kernels, model, this, tokens, recompute);

    /// <summary>Before the first micro-batch of a step: what depends on how far the run is, is a function of these alone.</summary>
    /// <param name="step">From 0, in the whole run.</param>
    /// <param name="batchStep">Step whose batch it takes: another one once the run left some out.</param>
    /// <param name="totalSteps">Of the whole run.</param>
    public virtual void BeginStep(long step, long batchStep, long totalSteps)
    {
    }

    /// <summary>Writes what is worth keeping of <see cref="Parameters"/> beside the model that was trained.</summary>
    /// <param name="folder">The model's; it is there.</param>
    public virtual void SaveBeside(string folder)
    {
    }

    /// <summary>Before the forward pass of a micro-batch: writes its weights where <see cref="WeightsKnown"/>.</summary>
    /// <param name="batch">The whole step.</param>
    /// <param name="first">First token of the micro-batch.</param>
    /// <param name="weights">[n] weights of tokens first..first + n - 1.</param>
    public abstract void Prepare(PackedBatch batch, int first, Span<float> weights);

    /// <summary>After the forward pass of a micro-batch: its part of the step's loss; writes the weights where they were not known.</summary>
    /// <param name="batch">The whole step.</param>
    /// <param name="first">First token of the micro-batch.</param>
    /// <param name="losses">[n] cross-entropy in nats, 0 where there is no target.</param>
    /// <param name="weights">[n] as for <see cref="Prepare"/>.</param>
    public abstract double Evaluate(PackedBatch batch, int first, ReadOnlySpan<float> losses, Span<float> weights);

    /// <summary>Frees <see cref="Parameters"/> and whatever else the loss holds.</summary>
    public virtual void Dispose() => GC.SuppressFinalize(this);
}

/// <summary>Mean cross-entropy of all targets of the step, whatever its micro-batches: pretraining, and finetuning where prompts have
/// no targets (post-training reference 2.1). A z-loss is trained on but not part of the loss reported: that stays the cross-entropy.</summary>
/// <param name="zLoss">lambda, usually 1e-4; 0 for none.</param>
public sealed class NextTokenLoss(float zLoss = 0) : TrainingLoss
{
    /// <summary>Name of its figure.</summary>
    internal const string ZLossName = "z_loss";

    private static readonly string[] Names = [ZLossName];

    private readonly double[] _zLoss = new double[zLoss > 0 ? 1 : 0];

    /// <inheritdoc/>
    public override string Description => "next token" + ZLossDescription;

    /// <inheritdoc/>
    public override bool WeightsKnown => true;

    /// <inheritdoc/>
    public override float ZLoss { get; } = zLoss >= 0 && float.IsFinite(zLoss)
        ? zLoss : throw new ArgumentOutOfRangeException(nameof(zLoss), zLoss, "The z-loss needs a finite factor from 0.");

    /// <inheritdoc/>
    public override IReadOnlyList<string> MetricNames => ZLoss > 0 ? Names : [];

    /// <inheritdoc/>
    public override ReadOnlySpan<double> Metrics => _zLoss;

    /// <inheritdoc/>
    protected internal override void NoteZLoss(int first, double sum) => _zLoss[0] = first == 0 ? sum : _zLoss[0] + sum;

    /// <inheritdoc/>
    public override void Prepare(PackedBatch batch, int first, Span<float> weights) =>
        batch.Weights.AsSpan(first, weights.Length).CopyTo(weights);

    /// <inheritdoc/>
    public override double Evaluate(PackedBatch batch, int first, ReadOnlySpan<float> losses, Span<float> weights)
    {
        double sum = 0;
        for (int i = 0; i < losses.Length; i++) sum += losses[i] * (double)weights[i];
        return sum;
    }
}

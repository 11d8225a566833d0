using Finery.Data.Batches;
using Finery.Data.Batches.Mixing;
using Finery.Models;
using Finery.Models.Llama;
using Finery.Tensors;

namespace Finery.Training;

/// <summary>Mean cross-entropy of a model on text it does not learn from, in nats per target: always the same windows of it.</summary>
/// <param name="shards">The text; it must stay open.</param>
/// <param name="maxTokens">Read at most so many tokens.</param>
public sealed class ValidationLoss(TokenShards shards, long maxTokens)
{
    // Windows of a forward pass: more would take memory, fewer leave the products small.
    private const int TokensPerPass = 4096;

    /// <summary>Computes it.</summary>
    /// <param name="kernels">Does the work.</param>
    /// <param name="model">Not changed.</param>
    /// <param name="length">T: tokens of a window, so the context a token has at most.</param>
    /// <exception cref="InvalidDataException">The text has fewer than <paramref name="length"/> tokens.</exception>
    public double Of(Kernels kernels, LlamaModel model, int length)
    {
        long windows = Math.Max(1, Math.Min(maxTokens, shards.TokenCount) / length);
        int rows = (int)Math.Clamp(TokensPerPass / length, 1, windows);
        var source = MixedBatches.Of(shards, length, rows, seed: 0);
        var batch = source.CreateBatch();
        using var arena = new Arena("validation");
        var inputs = new ModelInputs(arena, batch.Count);
        var targets = arena.Integers("targets", batch.Count);
        var weights = arena.Floats("tokenWeights", batch.Count);
        var tape = new Tape(kernels, arena, gradients: false, activations: model.WeightType);
        var losses = model.Losses(tape, inputs, targets, weights, weightsKnown: false);
        double sum = 0;
        long count = 0;
        for (long step = 0; step < windows / rows; step++)
        {
            source.Fill(step, batch);
            inputs.Load(batch.Ids, batch.Positions, batch.Starts, 0);
            batch.Targets.CopyTo(targets.Integers);
            tape.Forward();
            foreach (float loss in losses.Floats) sum += loss;
            count += batch.TargetCount;
        }
        return count == 0 ? double.NaN : sum / count;
    }
}

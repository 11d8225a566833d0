using Finery.Data.Batches;
using Finery.Models.Generation;
using Finery.Models.Llama;
using Finery.Tensors;

namespace Finery.Training.Losses;

/// <summary>Log-probabilities of all completions under the frozen model that preference training starts from, computed once: during
/// training only the policy runs.</summary>
public sealed class ReferenceLogProbabilities
{
    private readonly Dictionary<int, (double Chosen, double Rejected)> _byExample = [];

    private ReferenceLogProbabilities(string source, int? endToken) => (Source, EndToken) = (source, endToken);

    /// <summary>Fingerprint of the pairs.</summary>
    public string Source { get; }

    /// <summary>Token left out at the end of completions, or null.</summary>
    public int? EndToken { get; }

    /// <summary>Scores one epoch of <paramref name="source"/>.</summary>
    /// <param name="model">The model before training.</param>
    /// <param name="kernels">Does the work.</param>
    /// <param name="source">The pairs.</param>
    /// <param name="endToken">As in <see cref="PreferenceLossSettings.EndToken"/>.</param>
    /// <param name="stop">Checked before each batch.</param>
    /// <exception cref="OperationCanceledException">Stopped.</exception>
    public static ReferenceLogProbabilities Compute(
        LlamaModel model, Kernels kernels, PreferenceBatches source, int? endToken = null, CancellationToken stop = default)
    {
        var reference = new ReferenceLogProbabilities(source.Fingerprint, endToken);
        var batch = (PreferenceBatch)source.CreateBatch();
        using var scorer = new TokenScorer(model, kernels, source.Length);
        int steps = (source.PairsPerEpoch + source.PairsPerBatch - 1) / source.PairsPerBatch;
        for (int step = 0; step < steps; step++)
        {
            stop.ThrowIfCancellationRequested();
            source.Fill(step, batch);
            var losses = scorer.Score(batch.Ids, batch.Positions, batch.Starts, batch.Targets);
            for (int i = 0; i < batch.Examples.Length; i++)
            {
                reference._byExample[batch.Examples[i]] = (
                    -reference.Sum(losses, batch, batch.Chosen[i]), -reference.Sum(losses, batch, batch.Rejected[i]));
            }
        }
        return reference;
    }

    /// <summary>Log-probabilities of a pair.</summary>
    /// <param name="example">Its index in the list of examples.</param>
    /// <exception cref="KeyNotFoundException">It was not scored.</exception>
    public (double Chosen, double Rejected) Of(int example) => _byExample.TryGetValue(example, out var pair)
        ? pair
        : throw new KeyNotFoundException($"Preference pair {example} has no reference log-probabilities.");

    /// <summary>End of what a completion is compared by: without its end token where that is left out.</summary>
    internal int ScoredEnd(PackedBatch batch, CompletionSpan span) =>
        EndToken is { } end && batch.Targets[span.End - 1] == end ? span.End - 1 : span.End;

    private double Sum(ReadOnlySpan<float> losses, PackedBatch batch, CompletionSpan span)
    {
        double sum = 0;
        for (int t = span.Start; t < ScoredEnd(batch, span); t++) sum += losses[t];
        return sum;
    }
}

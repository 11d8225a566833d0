using Finery.Models.Llama;
using Finery.Tensors;

namespace Finery.Models.Generation;

/// <summary>Cross-entropy of every token of packed flat batches, without gradients. Recorded once, replayed for each batch. Not
/// thread-safe. The model must outlive it; changes of its weights are seen.</summary>
public sealed class TokenScorer : IDisposable
{
    private readonly Arena _arena = new("scorer");
    private readonly ModelInputs _inputs;
    private readonly Tensor _targets;
    private readonly Tensor _losses;
    private readonly Tape _tape;

    /// <summary>Records the forward pass.</summary>
    /// <param name="model">Scores.</param>
    /// <param name="kernels">Does the work.</param>
    /// <param name="tokens">Most tokens of one batch.</param>
    public TokenScorer(LlamaModel model, Kernels kernels, int tokens)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(tokens, 1);
        _inputs = new ModelInputs(_arena, tokens);
        _targets = _arena.Integers("targets", tokens);
        _tape = new Tape(kernels, _arena, gradients: false, activations: model.WeightType);
        _losses = model.Losses(_tape, _inputs, _targets, _arena.Floats("tokenWeights", tokens), weightsKnown: false);
        _tape.Plan();
    }

    /// <summary>Most tokens of one batch.</summary>
    public int Tokens => _inputs.Tokens;

    /// <summary>Scores a batch of at most <see cref="Tokens"/> tokens.</summary>
    /// <param name="ids">Token ids.</param>
    /// <param name="positions">Position of each token within its document.</param>
    /// <param name="starts">Flat index of the first token of each token's document.</param>
    /// <param name="targets">The token that follows each, or -1 for no loss.</param>
    /// <returns>Loss of each token in nats (0 without target), valid until the next call.</returns>
    /// <exception cref="ArgumentException">The lengths differ or exceed <see cref="Tokens"/>.</exception>
    public ReadOnlySpan<float> Score(
        ReadOnlySpan<int> ids, ReadOnlySpan<int> positions, ReadOnlySpan<int> starts, ReadOnlySpan<int> targets)
    {
        int count = ids.Length;
        if (count > Tokens) throw new ArgumentException($"{count} tokens; this scorer was made for {Tokens}.", nameof(ids));
        if (positions.Length != count || starts.Length != count || targets.Length != count)
            throw new ArgumentException(
                $"{count} ids, {positions.Length} positions, {starts.Length} starts, {targets.Length} targets.");
        ids.CopyTo(_inputs.Ids.Integers);
        positions.CopyTo(_inputs.Positions.Integers);
        starts.CopyTo(_inputs.Starts.Integers);
        targets.CopyTo(_targets.Integers);

        // Unused rows are documents of one token without loss.
        _inputs.Ids.Integers[count..].Clear();
        _inputs.Positions.Integers[count..].Clear();
        _targets.Integers[count..].Fill(-1);
        for (int i = count; i < Tokens; i++) _inputs.Starts.Integers[i] = i;
        _tape.Forward();
        return _losses.Floats[..count];
    }

    /// <summary>Frees activations.</summary>
    public void Dispose() => _arena.Dispose();
}

using Finery.Models.Generation;
using Finery.Models.Llama;
using Finery.Tensors;

namespace Finery.Evaluation;

/// <summary>A network as a model to be evaluated: spans are packed into flat batches, as many as fit. Not thread-safe.</summary>
public sealed class NeuralModel : ITokenModel, IDisposable
{
    private readonly LlamaModel _model;
    private readonly TokenScorer _scorer;
    private readonly int[] _ids;
    private readonly int[] _positions;
    private readonly int[] _starts;
    private readonly int[] _targets;

    /// <summary>Records the forward pass; <paramref name="model"/> must outlive it, and changes of its weights are seen.</summary>
    /// <param name="model">Scored.</param>
    /// <param name="kernels">Does the work.</param>
    /// <param name="batchTokens">Tokens scored at once; at least the model's context is taken.</param>
    /// <param name="name">What results are reported under.</param>
    public NeuralModel(LlamaModel model, Kernels kernels, int batchTokens = 4096, string name = "model")
    {
        (_model, Name) = (model, name);
        int tokens = Math.Max(batchTokens, model.Config.SequenceLength);
        _scorer = new TokenScorer(model, kernels, tokens);
        (_ids, _positions, _starts, _targets) = (new int[tokens], new int[tokens], new int[tokens], new int[tokens]);
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public int VocabSize => _model.Config.VocabSize;

    /// <inheritdoc/>
    public int ContextLength => _model.Config.SequenceLength;

    /// <inheritdoc/>
    public void Score(ReadOnlySpan<TokenSpan> spans, Span<double> logLikelihoods)
    {
        if (logLikelihoods.Length != spans.Length)
            throw new ArgumentException($"{spans.Length} spans, room for {logLikelihoods.Length} results.", nameof(logLikelihoods));
        for (int i = 0; i < spans.Length; i++) Check(spans[i], i);
        int next = 0;
        while (next < spans.Length)
        {
            int first = next, used = 0;
            for (; next < spans.Length && used + spans[next].Tokens.Length - 1 <= _ids.Length; next++) used = Add(spans[next], used);
            var losses = _scorer.Score(_ids.AsSpan(0, used), _positions.AsSpan(0, used), _starts.AsSpan(0, used), _targets.AsSpan(0, used));
            for (int i = first, at = 0; i < next; i++)
            {
                int end = at + spans[i].Tokens.Length - 1;
                double sum = 0;
                for (; at < end; at++) sum -= losses[at];
                logLikelihoods[i] = sum;
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _scorer.Dispose();

    /// <summary>Appends a span as a segment of its own: all but its last token are read.</summary>
    private int Add(TokenSpan span, int at)
    {
        int count = span.Tokens.Length - 1;
        for (int i = 0; i < count; i++)
        {
            _ids[at + i] = span.Tokens[i];
            _positions[at + i] = i;
            _starts[at + i] = at;
            _targets[at + i] = i + 1 >= span.First ? span.Tokens[i + 1] : -1;
        }
        return at + count;
    }

    private void Check(TokenSpan span, int index)
    {
        if (span.Tokens.Length < 2 || span.Tokens.Length > ContextLength + 1)
            throw new ArgumentException($"Span {index} has {span.Tokens.Length} tokens; expected 2 to {ContextLength + 1}.");
        if (span.First < 1 || span.First >= span.Tokens.Length)
            throw new ArgumentException($"Span {index} scores from token {span.First} of {span.Tokens.Length}; expected 1 or later.");
        foreach (int token in span.Tokens)
        {
            if ((uint)token >= (uint)VocabSize) throw new ArgumentException($"Span {index}: token {token} is outside [0, {VocabSize}).");
        }
    }
}

namespace Finery.Evaluation;

/// <summary>A sequence with the part of it to be scored.</summary>
/// <param name="Tokens">The whole sequence, context first; nothing is put before it.</param>
/// <param name="First">Index of the first scored token, at least 1: a token without context has no probability.</param>
public readonly record struct TokenSpan(int[] Tokens, int First)
{
    /// <summary>Number of scored tokens.</summary>
    public int Scored => Tokens.Length - First;
}

/// <summary>Anything that gives the next token a probability: a network or an n-gram table. Every task sees only this, so that a model
/// and its baselines are scored by the same code on the same tokens.</summary>
public interface ITokenModel
{
    /// <summary>What results are reported under.</summary>
    string Name { get; }

    /// <summary>Number of token ids.</summary>
    int VocabSize { get; }

    /// <summary>Most tokens the model reads at once: a span holds at most this many and one more, its last target.</summary>
    int ContextLength { get; }

    /// <summary>For each span the sum of <c>ln P(token | all tokens before it)</c> over its scored tokens.</summary>
    /// <param name="spans">Sequences of at least two and at most <see cref="ContextLength"/> + 1 tokens.</param>
    /// <param name="logLikelihoods">One natural logarithm per span, overwritten.</param>
    /// <exception cref="ArgumentException">A span is too long or scores its first token; the message says which.</exception>
    void Score(ReadOnlySpan<TokenSpan> spans, Span<double> logLikelihoods);
}

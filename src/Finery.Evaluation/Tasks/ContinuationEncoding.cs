namespace Finery.Evaluation.Tasks;

/// <summary>Splits the tokens of context + continuation where the continuation begins (lm-evaluation-harness 0.4).</summary>
public static class ContinuationEncoding
{
    /// <summary>
    /// Encodes the whole text once, since a tokenizer may join across the border, and splits at the length of the encoded context.
    /// White space at the end of the context moves to the continuation; where a token straddles the border and nothing is left to
    /// score, the border steps back one token.
    /// </summary>
    /// <param name="encode">Text to ids, without special tokens.</param>
    /// <param name="context">What is given; may be empty.</param>
    /// <param name="continuation">What is scored, its leading delimiter included.</param>
    /// <param name="bosId">Put before the context, so that the first token has one too.</param>
    /// <exception cref="ArgumentException">The continuation is empty.</exception>
    public static (int[] Context, int[] Continuation) Split(
        Func<string, int[]> encode, string context, string continuation, int bosId)
    {
        string trimmed = context.TrimEnd();
        string scored = context[trimmed.Length..] + continuation;
        if (scored.Length == 0) throw new ArgumentException("The continuation is empty: there is nothing to score.", nameof(continuation));
        int[] whole = encode(trimmed + scored);
        int border = Math.Min(encode(trimmed).Length, whole.Length - 1);
        return ([bosId, .. whole.AsSpan(0, border)], whole[border..]);
    }
}

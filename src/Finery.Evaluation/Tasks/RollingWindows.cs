namespace Finery.Evaluation.Tasks;

/// <summary>Cuts a document longer than the context into windows which predict every token exactly once.</summary>
public static class RollingWindows
{
    /// <summary>
    /// The disjoint windows of lm-evaluation-harness 0.4: the first reads <c>[prefix] + tokens[..L-1]</c>, later ones carry one token
    /// of context, and the last is shifted back to full length so that its few targets see as much as they can.
    /// </summary>
    /// <param name="tokens">The document, without <paramref name="prefix"/>.</param>
    /// <param name="prefix">The token before the first: beginning of sequence.</param>
    /// <param name="contextLength">L, the most tokens a window reads.</param>
    /// <returns>Spans of at most L + 1 tokens; none for an empty document.</returns>
    public static IEnumerable<TokenSpan> Cut(int[] tokens, int prefix, int contextLength)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        ArgumentOutOfRangeException.ThrowIfLessThan(contextLength, 1);
        return Windows();

        IEnumerable<TokenSpan> Windows()
        {
            if (tokens.Length == 0) yield break;
            int done = Math.Min(contextLength, tokens.Length);
            yield return new([prefix, .. tokens.AsSpan(0, done)], 1);
            while (done < tokens.Length)
            {
                int targets = Math.Min(contextLength, tokens.Length - done);
                int end = done + targets;
                int[] window = end == contextLength
                    ? [prefix, .. tokens.AsSpan(0, end)]
                    : tokens[(end - contextLength - 1)..end];
                yield return new(window, window.Length - targets);
                done = end;
            }
        }
    }
}

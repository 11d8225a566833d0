using Finery.Evaluation.Metrics;

namespace Finery.Evaluation.Tasks;

/// <summary>One way to go on.</summary>
/// <param name="Tokens">The continuation, its leading delimiter included.</param>
/// <param name="Characters">Characters of the choice's text without the delimiter.</param>
/// <param name="Bytes">UTF-8 bytes of the same.</param>
public sealed record Choice(int[] Tokens, int Characters, int Bytes);

/// <summary>A question with its choices.</summary>
/// <param name="Context">Tokens given, beginning-of-sequence first.</param>
/// <param name="Choices">At least two.</param>
/// <param name="Answer">Index of the right one.</param>
public sealed record MultipleChoiceItem(int[] Context, IReadOnlyList<Choice> Choices, int Answer);

/// <summary>Result of <see cref="MultipleChoice"/>.</summary>
/// <param name="Accuracy">Highest log-likelihood wins.</param>
/// <param name="AccuracyPerCharacter">Highest log-likelihood per character wins (<c>acc_norm</c>).</param>
/// <param name="AccuracyPerByte">Highest log-likelihood per byte wins (<c>acc_bytes</c>).</param>
/// <param name="AccuracyMutualInformation">Highest gain over the unconditional log-likelihood wins.</param>
/// <param name="AnswerNats">Negative log-likelihood of the right choice per character, nats: what scaling laws of accuracy go by.</param>
/// <param name="Correct">Per item 1 or 0 under <paramref name="Accuracy"/>; for paired comparison.</param>
/// <param name="CorrectPerCharacter">The same under <paramref name="AccuracyPerCharacter"/>.</param>
/// <param name="CorrectMutualInformation">The same under <paramref name="AccuracyMutualInformation"/>.</param>
public sealed record MultipleChoiceResult(
    Estimate Accuracy, Estimate AccuracyPerCharacter, Estimate AccuracyPerByte, Estimate AccuracyMutualInformation,
    Estimate AnswerNats, double[] Correct, double[] CorrectPerCharacter, double[] CorrectMutualInformation);

/// <summary>Picks the continuation a model finds likeliest (reference formats 5.1). Ties go to the first.</summary>
/// <param name="Items">The questions.</param>
/// <param name="UnconditionalContext">Context of the unconditional scores, not empty: usually just beginning-of-sequence.</param>
public sealed record MultipleChoice(IReadOnlyList<MultipleChoiceItem> Items, int[] UnconditionalContext)
{
    /// <summary>Scores <paramref name="model"/>. Contexts too long for it keep their end.</summary>
    /// <exception cref="ArgumentException">An item has fewer than two choices, an empty choice or context, an answer that is none of its
    /// choices, or a choice longer than the model's context; or there is no item.</exception>
    public MultipleChoiceResult Score(ITokenModel model)
    {
        if (Items.Count == 0) throw new ArgumentException("Multiple choice: there are no items.");
        var spans = new List<TokenSpan>();
        for (int i = 0; i < Items.Count; i++)
        {
            Check(i);
            foreach (var choice in Items[i].Choices)
            {
                spans.Add(Span(i, Items[i].Context, choice.Tokens, model.ContextLength));
                spans.Add(Span(i, UnconditionalContext, choice.Tokens, model.ContextLength));
            }
        }
        var scores = new double[spans.Count];
        model.Score(spans.ToArray(), scores);

        var correct = new double[4][];
        for (int metric = 0; metric < correct.Length; metric++) correct[metric] = new double[Items.Count];
        var answerNats = new double[Items.Count];
        int next = 0;
        for (int i = 0; i < Items.Count; i++)
        {
            Span<double> best = [double.NegativeInfinity, double.NegativeInfinity, double.NegativeInfinity, double.NegativeInfinity];
            Span<int> picked = [0, 0, 0, 0];
            for (int c = 0; c < Items[i].Choices.Count; c++)
            {
                var choice = Items[i].Choices[c];
                double conditional = scores[next++], unconditional = scores[next++];
                ReadOnlySpan<double> values =
                [
                    conditional, conditional / Math.Max(1, choice.Characters), conditional / Math.Max(1, choice.Bytes),
                    conditional - unconditional,
                ];
                if (c == Items[i].Answer) answerNats[i] = -values[1];
                for (int metric = 0; metric < values.Length; metric++)
                {
                    if (values[metric] > best[metric]) (best[metric], picked[metric]) = (values[metric], c);
                }
            }
            for (int metric = 0; metric < correct.Length; metric++) correct[metric][i] = picked[metric] == Items[i].Answer ? 1 : 0;
        }
        return new(
            Estimate.Mean(correct[0]), Estimate.Mean(correct[1]), Estimate.Mean(correct[2]), Estimate.Mean(correct[3]),
            Estimate.Mean(answerNats), correct[0], correct[1], correct[3]);
    }

    private void Check(int index)
    {
        var item = Items[index];
        if (item.Choices.Count < 2) throw new ArgumentException($"Item {index} has {item.Choices.Count} choices; at least 2 are needed.");
        if ((uint)item.Answer >= (uint)item.Choices.Count)
            throw new ArgumentException($"Item {index}: answer {item.Answer} is none of its {item.Choices.Count} choices.");
    }

    private static TokenSpan Span(int index, int[] context, int[] continuation, int contextLength)
    {
        if (context.Length == 0) throw new ArgumentException($"Item {index}: a context is empty; begin it with the BOS token.");
        if (continuation.Length == 0) throw new ArgumentException($"Item {index}: a choice has no tokens.");
        if (continuation.Length > contextLength)
            throw new ArgumentException($"Item {index}: a choice has {continuation.Length} tokens; the model reads {contextLength}.");
        int kept = Math.Min(context.Length, contextLength + 1 - continuation.Length);
        return new([.. context.AsSpan(context.Length - kept), .. continuation], kept);
    }
}

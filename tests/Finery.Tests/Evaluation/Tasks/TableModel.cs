using Finery.Evaluation;

namespace Finery.Tests.Evaluation.Tasks;

/// <summary>A model whose next-token probabilities are a function of the whole context.</summary>
internal sealed class TableModel(int vocabSize, int contextLength, Func<int[], int, double> probability) : ITokenModel
{
    public string Name => "table";

    public int VocabSize => vocabSize;

    public int ContextLength => contextLength;

    public List<TokenSpan> Seen { get; } = [];

    public void Score(ReadOnlySpan<TokenSpan> spans, Span<double> logLikelihoods)
    {
        for (int i = 0; i < spans.Length; i++)
        {
            Seen.Add(spans[i]);
            double sum = 0;
            for (int t = spans[i].First; t < spans[i].Tokens.Length; t++)
                sum += Math.Log(probability(spans[i].Tokens[..t], spans[i].Tokens[t]));
            logLikelihoods[i] = sum;
        }
    }
}

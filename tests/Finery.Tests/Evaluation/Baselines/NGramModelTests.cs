using Finery.Evaluation;
using Finery.Evaluation.Baselines;
using Xunit;

namespace Finery.Tests.Evaluation.Baselines;

public class NGramModelTests
{
    private static ReadOnlyMemory<int>[] Documents(params int[][] documents) =>
        documents.Select(document => new ReadOnlyMemory<int>(document)).ToArray();

    private static ReadOnlyMemory<int>[] Random(int vocabSize, int documents, int seed)
    {
        var random = new Random(seed);
        return Documents(Enumerable.Range(0, documents).Select(_ =>
        {
            var tokens = new int[random.Next(1, 40)];
            for (int i = 1; i < tokens.Length; i++)
                tokens[i] = random.Next(3) == 0 ? 1 + random.Next(vocabSize - 1) : (tokens[i - 1] * 5 + 1) % vocabSize;
            return tokens;
        }).ToArray());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(5)]
    public void Probabilities_over_the_vocabulary_sum_to_one(int order)
    {
        const int VocabSize = 37;
        var model = NGramModel.Train(Random(VocabSize, 200, order), order, VocabSize);
        var random = new Random(1);
        for (int trial = 0; trial < 100; trial++)
        {
            var context = Enumerable.Range(0, random.Next(0, 8)).Select(_ => random.Next(VocabSize)).ToArray();
            double sum = Enumerable.Range(0, VocabSize).Sum(token => model.Probability(context, token));
            Assert.Equal(1, sum, 1e-9);
        }
        double afterBos = Enumerable.Range(0, VocabSize).Sum(token => model.Probability([0], token));
        Assert.Equal(1, afterBos, 1e-9);
    }

    [Fact]
    public void A_bigram_model_is_what_one_computes_by_hand()
    {
        // 0 is BOS. Bigrams: 01 x2, 12 x2, 21 x1, 13 x1. n1 = 2, n2 = 2: Y = 1/3; D1 = 1 - 2/3 = 1/3; D2 = 2 (n3 = 0, not below 2: fallback 1).
        // Unigram continuations: 1 follows {0, 2} = 2, 2 follows {1} = 1, 3 follows {1} = 1: n1 = 2, n2 = 1: Y = 1/2, D1 = 1 - 1/2 = 1/2,
        // D2 fallback 1. Freed mass 1 + 1/2 + 1/2 = 2 of 4.
        var model = NGramModel.Train(Documents([0, 1, 2, 1, 3], [0, 1, 2]), order: 2, vocabSize: 4);
        double one = (2 - 1 + 2 * 0.25) / 4, two = (1 - 0.5 + 2 * 0.25) / 4, zero = 2 * 0.25 / 4;
        Assert.Equal(zero, model.Probability([], 0), 1e-12);
        Assert.Equal(one, model.Probability([], 1), 1e-12);
        Assert.Equal(two, model.Probability([3], 2), 1e-12);
        // After 1: 2 x2, 3 x1; freed mass 1 + 1/3 of 3.
        Assert.Equal((2 - 1 + 4.0 / 3 * two) / 3, model.Probability([1], 2), 1e-12);
        Assert.Equal((1 - 1.0 / 3 + 4.0 / 3 * two) / 3, model.Probability([1], 3), 1e-12);
        Assert.Equal(4.0 / 3 * one / 3, model.Probability([1], 1), 1e-12);
        Assert.Equal(6, model.TrainingTokens);
    }

    [Fact]
    public void Scoring_a_span_adds_the_logarithms_of_its_tokens()
    {
        const int VocabSize = 23;
        var model = NGramModel.Train(Random(VocabSize, 100, 3), 5, VocabSize);
        int[] tokens = [0, 4, 21, 14, 2, 11, 10, 5, 3, 16];
        Span<double> scores = stackalloc double[2];
        model.Score([new TokenSpan(tokens, 1), new TokenSpan(tokens, 7)], scores);
        double all = 0, tail = 0;
        for (int i = 1; i < tokens.Length; i++)
        {
            double log = Math.Log(model.Probability(tokens.AsSpan(0, i), tokens[i]));
            all += log;
            if (i >= 7) tail += log;
        }
        Assert.Equal(all, scores[0], 1e-9);
        Assert.Equal(tail, scores[1], 1e-9);
    }

    [Fact]
    public void Longer_contexts_help_on_structured_text_and_memory_is_bounded()
    {
        const int VocabSize = 50;
        var training = Random(VocabSize, 2000, 5);
        var heldOut = Random(VocabSize, 50, 6).Where(document => document.Length > 1)
            .Select(document => new TokenSpan(document.ToArray(), 1)).ToArray();
        double Total(ITokenModel model)
        {
            var scores = new double[heldOut.Length];
            model.Score(heldOut, scores);
            return scores.Sum();
        }

        Assert.True(Total(NGramModel.Train(training, 5, VocabSize)) > Total(NGramModel.Train(training, 1, VocabSize)) + 100);
        Assert.InRange(NGramModel.Train(training, 5, VocabSize, maxTokens: 500).TrainingTokens, 500, 540);
    }

    [Fact]
    public void Hostile_input_is_refused()
    {
        Assert.Throws<ArgumentException>(() => NGramModel.Train(Documents([0, 4]), 2, 4));
        Assert.Throws<ArgumentException>(() => NGramModel.Train(Documents([0], []), 2, 4));
        var model = NGramModel.Train(Documents([0, 1]), 2, 4);
        Assert.Throws<ArgumentException>(() => model.Probability([0], -1));
        Assert.Throws<ArgumentException>(() => model.Score([new TokenSpan([0, 1], 0)], new double[1]));
    }
}

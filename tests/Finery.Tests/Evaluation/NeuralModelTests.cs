using Finery.Evaluation;
using Finery.Models;
using Finery.Models.Llama;
using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Evaluation;

public sealed class NeuralModelTests : IDisposable
{
    private readonly CpuKernels _kernels = new(1);
    private readonly LlamaModel _model = new(
        new ModelConfig
        {
            VocabSize = 23, EmbeddingSize = 16, LayerCount = 2, HeadCount = 2, KvHeadCount = 1, HeadSize = 8, FeedForwardSize = 32,
            SequenceLength = 12,
        },
        seed: 3, trainable: false);

    public void Dispose()
    {
        _model.Dispose();
        _kernels.Dispose();
    }

    private static TokenSpan[] Spans() => [.. Enumerable.Range(0, 20).Select(i =>
        new TokenSpan([.. Enumerable.Range(0, 2 + i * 5 % 12).Select(t => (t * t + i) % 23)], 1))];

    [Fact]
    public void Packed_spans_score_as_they_do_alone()
    {
        using var packed = new NeuralModel(_model, _kernels, batchTokens: 40);
        using var single = new NeuralModel(_model, _kernels, batchTokens: 12);
        var spans = Spans();
        var together = new double[spans.Length];
        packed.Score(spans, together);
        for (int i = 0; i < spans.Length; i++)
        {
            var alone = new double[1];
            single.Score([spans[i]], alone);
            Assert.Equal(alone[0], together[i], 1e-4);
        }
    }

    [Fact]
    public void A_span_is_the_sum_of_its_parts()
    {
        using var model = new NeuralModel(_model, _kernels);
        int[] tokens = [0, 4, 8, 15, 16, 22, 3];
        var scores = new double[3];
        model.Score([new(tokens, 1), new(tokens[..4], 1), new(tokens, 4)], scores);
        Assert.Equal(scores[0], scores[1] + scores[2], 1e-4);
        Assert.InRange(scores[0], -6 * 2 * Math.Log(23), 0);
    }

    [Fact]
    public void Probabilities_of_the_next_token_sum_to_one()
    {
        using var model = new NeuralModel(_model, _kernels);
        var spans = Enumerable.Range(0, 23).Select(token => new TokenSpan([0, 7, 9, token], 3)).ToArray();
        var scores = new double[23];
        model.Score(spans, scores);
        Assert.Equal(1, scores.Sum(Math.Exp), 1e-5);
    }

    [Fact]
    public void Impossible_spans_are_refused()
    {
        using var model = new NeuralModel(_model, _kernels);
        var scores = new double[1];
        Assert.Throws<ArgumentException>(() => model.Score([new(new int[14], 1)], scores));
        Assert.Throws<ArgumentException>(() => model.Score([new([1], 1)], scores));
        Assert.Throws<ArgumentException>(() => model.Score([new([1, 2], 0)], scores));
        Assert.Throws<ArgumentException>(() => model.Score([new([1, 23], 1)], scores));
        Assert.Throws<ArgumentException>(() => model.Score([new([1, 2], 1), new([1, 2], 1)], scores));
    }
}

using Finery.Evaluation.Tasks;
using Xunit;

namespace Finery.Tests.Evaluation.Tasks;

public class BitsPerByteTests
{
    [Fact]
    public void Windows_are_those_of_the_harness()
    {
        var windows = RollingWindows.Cut(Enumerable.Range(0, 34).ToArray(), prefix: 99, contextLength: 10).ToArray();
        Assert.Equal([10, 10, 10, 4], windows.Select(window => window.Scored));
        Assert.Equal([99, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9], windows[0].Tokens);
        Assert.Equal(Enumerable.Range(9, 11), windows[1].Tokens);
        Assert.Equal(Enumerable.Range(23, 11), windows[3].Tokens);
        Assert.Equal([30, 31, 32, 33], windows[3].Tokens[windows[3].First..]);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(5, 1)]
    [InlineData(9, 10)]
    [InlineData(10, 10)]
    [InlineData(11, 10)]
    [InlineData(21, 10)]
    [InlineData(0, 4)]
    public void Every_token_is_predicted_once_from_at_most_the_context(int tokens, int contextLength)
    {
        var document = Enumerable.Range(0, tokens).ToArray();
        var windows = RollingWindows.Cut(document, 99, contextLength).ToArray();
        Assert.Equal(document, windows.SelectMany(window => window.Tokens[window.First..]));
        Assert.All(windows, window => Assert.InRange(window.Tokens.Length, 2, contextLength + 1));
    }

    [Fact]
    public void A_uniform_model_costs_the_logarithm_of_the_vocabulary()
    {
        var model = new TableModel(16, 4, (_, _) => 1.0 / 16);
        var result = new BitsPerByte([new([1, 2, 3, 4, 5, 6], 12), new([7], 3), new([], 0)], BosId: 0).Score(model);
        Assert.Equal(4.0 * 7 / 15, result.BitsPerByte.Value, 1e-12);
        Assert.Equal(2, result.BitsPerByte.Count);
        Assert.Equal(7, result.Tokens);
        Assert.Equal(Math.Log(16), result.NatsPerToken, 1e-12);
    }

    [Fact]
    public void Two_models_are_compared_document_by_document()
    {
        var task = new BitsPerByte([new([1, 2, 3], 6), new([4, 5], 4)], BosId: 0);
        var worse = task.Score(new TableModel(8, 4, (_, _) => 1.0 / 8));
        var better = task.Score(new TableModel(8, 4, (_, _) => 1.0 / 4));
        var difference = better.Minus(worse);
        Assert.Equal(-0.5, difference.Value, 1e-12);
        Assert.Equal(0, difference.StandardError, 1e-12);
    }

    [Fact]
    public void No_text_is_refused() =>
        Assert.Throws<ArgumentException>(() => new BitsPerByte([], 0).Score(new TableModel(8, 4, (_, _) => 1.0 / 8)));
}

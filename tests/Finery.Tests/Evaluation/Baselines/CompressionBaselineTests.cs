using Finery.Evaluation.Baselines;
using Xunit;

namespace Finery.Tests.Evaluation.Baselines;

public class CompressionBaselineTests
{
    private static string Words(int seed, int count)
    {
        var random = new Random(seed);
        return string.Join(' ', Enumerable.Range(0, count).Select(_ => $"word{random.Next(400) * 7919}"));
    }

    [Fact]
    public void Training_text_of_the_same_kind_helps()
    {
        var result = CompressionBaseline.Measure([Words(1, 4000)], [Words(2, 300)]);
        Assert.InRange(result.AfterTraining, 0.5, 0.95 * result.Alone);
        Assert.InRange(result.Alone, 1, 6);
    }

    [Fact]
    public void Text_already_seen_costs_almost_nothing()
    {
        string text = Words(3, 2000);
        var result = CompressionBaseline.Measure([text], [text]);
        Assert.InRange(result.AfterTraining, 0, 0.05);
    }

    [Fact]
    public void Without_training_both_figures_are_close()
    {
        var result = CompressionBaseline.Measure([], [Words(4, 3000)]);
        Assert.Equal(result.Alone, result.AfterTraining, 0.02);
        Assert.Throws<ArgumentException>(() => CompressionBaseline.Measure(["a"], []));
    }
}

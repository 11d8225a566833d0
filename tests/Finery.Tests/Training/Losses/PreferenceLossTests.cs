using Finery.Data.Batches;
using Finery.Training;
using Finery.Training.Losses;
using Xunit;

namespace Finery.Tests.Training.Losses;

public class PreferenceLossTests
{
    private static readonly PairLogProbabilities D1 = new(-10, -12, -11, -11);

    private static PreferenceBatches Source(int pairs = 4, ulong seed = 2)
    {
        // The better answer counts up from the prompt, the worse one down.
        var examples = Enumerable.Range(0, 12).Select(i => new PreferenceExample(
            [0, 10 + i % 8, 3], [11 + i % 8, 12 + i % 8, 1], [9 + i % 8, 8 + i % 8, 7 + i % 8, 1])).ToArray();
        return new(examples, maxLength: 16, pairs, seed);
    }

    [Fact]
    public void Losses_of_one_pair_are_the_published_ones()
    {
        Assert.Equal(0.598139, DirectPreference.Sigmoid(D1, 0.1), 5e-7);
        Assert.Equal(-0.0450166, DirectPreference.SigmoidSlope(D1, 0.1), 5e-8);
        Assert.Equal(0.693147, DirectPreference.Sigmoid(new(-11, -11, -11, -11), 0.1), 5e-7);
        Assert.Equal(0.618139, DirectPreference.Sigmoid(D1, 0.1, 0.1), 5e-7);
        Assert.Equal(0.573139, DirectPreference.Robust(D1, 0.1, 0.1), 5e-7);
        Assert.Equal(0.8, DirectPreference.Hinge(D1, 0.1), 5e-7);
        Assert.Equal(0.100207, DirectPreference.SigmoidPerToken(D1, 4, 5, 5), 5e-7);
        Assert.Equal(1.098139, DirectPreference.Sigmoid(D1, 0.1) + 0.2 * 10 / 4, 5e-7);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0.1)]
    public void Slope_is_the_derivative(double smoothing)
    {
        foreach (double chosen in new[] { -300.0, -12, -10, 0, 400 })
        {
            const double H = 1e-5;
            double difference = DirectPreference.Sigmoid(D1 with { PolicyChosen = chosen + H }, 0.1, smoothing)
                - DirectPreference.Sigmoid(D1 with { PolicyChosen = chosen - H }, 0.1, smoothing);
            Assert.Equal(difference / (2 * H), DirectPreference.SigmoidSlope(D1 with { PolicyChosen = chosen }, 0.1, smoothing), 1e-8);
        }
    }

    [Fact]
    public void Extreme_margins_stay_finite()
    {
        Assert.Equal(0, DirectPreference.Sigmoid(new(0, -1e6, 0, 0), 1), 1e-12);
        Assert.Equal(1e6, DirectPreference.Sigmoid(new(-1e6, 0, 0, 0), 1), 1e-3);
    }

    [Theory]
    [InlineData(null)]
    [InlineData(1)]
    public void Token_weights_are_the_derivative_of_the_batch_loss(int? endToken)
    {
        using var tiny = new TinyModel();
        var source = Source(pairs: 3);
        var reference = ReferenceLogProbabilities.Compute(tiny.Model, tiny.Kernels, source, endToken);
        var loss = new PreferenceLoss(new() { EndToken = endToken, Smoothing = 0.1 }, reference);
        var batch = source.CreateBatch();
        source.Fill(0, batch);
        var random = new Random(4);
        var losses = batch.Targets.Select(target => target < 0 ? 0f : 4 * random.NextSingle()).ToArray();
        var weights = new float[batch.Count];
        var scratch = new float[batch.Count];
        loss.Evaluate(batch, 0, losses, weights);
        for (int i = 0; i < losses.Length; i++)
        {
            const float H = 1f / 64;
            float kept = losses[i];
            losses[i] = kept + H;
            double up = loss.Evaluate(batch, 0, losses, scratch);
            losses[i] = kept - H;
            double down = loss.Evaluate(batch, 0, losses, scratch);
            losses[i] = kept;
            if (batch.Targets[i] >= 0) Assert.Equal((up - down) / (2 * H), weights[i], 1e-5);
            else Assert.Equal(0, weights[i]);
        }
    }

    [Fact]
    public void Llama_3_leaves_the_end_token_to_the_likelihood_term()
    {
        using var tiny = new TinyModel();
        var source = Source();
        var reference = ReferenceLogProbabilities.Compute(tiny.Model, tiny.Kernels, source, endToken: 1);
        var loss = new PreferenceLoss(new() { EndToken = 1, ChosenWeight = 0.2 }, reference);
        var batch = (PreferenceBatch)source.CreateBatch();
        source.Fill(0, batch);
        var weights = new float[batch.Count];
        loss.Evaluate(batch, 0, new float[batch.Count], weights);
        Assert.Equal(0, weights[batch.Rejected[0].End - 1]);
        Assert.Equal(0.2f / 3 / 4, weights[batch.Chosen[0].End - 1], 1e-7f);
    }

    [Fact]
    public void Training_on_synthetic_pairs_learns_the_preference()
    {
        using var tiny = new TinyModel();
        var source = Source();
        var reference = ReferenceLogProbabilities.Compute(tiny.Model, tiny.Kernels, source);
        var loss = new PreferenceLoss(new(), reference);
        using var loop = tiny.Loop(new() { Steps = 60 }, source, loss);
        var first = new double[loss.Metrics.Length];
        var last = new double[loss.Metrics.Length];
        double firstLoss = 0;
        loop.OnStep = (in StepMetrics metrics, ReadOnlySpan<double> values) =>
        {
            if (metrics.Step == 0) firstLoss = metrics.Loss;
            values.CopyTo(metrics.Step == 0 ? first : last);
        };
        loop.Run();
        Assert.Equal(0, first[2], 1e-4);
        Assert.Equal(Math.Log(2) + 0.2 * first[6], firstLoss, 1e-4);
        Assert.True(last[3] > 0.9, $"accuracy {last[3]}");
        Assert.True(last[2] > 0.1, $"margin {last[2]}");
    }

    [Fact]
    public void A_reference_of_other_pairs_is_refused()
    {
        using var tiny = new TinyModel();
        var reference = ReferenceLogProbabilities.Compute(tiny.Model, tiny.Kernels, Source());
        Assert.Throws<ArgumentException>(() => tiny.Loop(new() { Steps = 4 }, Source(seed: 9), new PreferenceLoss(new(), reference)));
        Assert.Throws<ArgumentException>(() => new PreferenceLoss(new() { EndToken = 1 }, reference));
        Assert.Throws<ArgumentException>(() => new PreferenceLoss(new() { Beta = 0 }, reference));
        Assert.Throws<KeyNotFoundException>(() => reference.Of(99));
    }
}

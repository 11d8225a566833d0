using Finery.Data.Batches;
using Xunit;

namespace Finery.Tests.Data.Batches;

public class PreferenceBatchesTests
{
    [Fact]
    public void Spans_cover_the_completions_and_nothing_else_is_a_target()
    {
        PreferenceExample[] pairs = [new([1, 2, 3], [4, 5], [6]), new([7, 8], [9], [10, 11])];
        var source = new PreferenceBatches(pairs, maxLength: 8, pairsPerBatch: 2, seed: 1, padId: 0);
        var batch = (PreferenceBatch)BatchAssert.Filled(source, 0);
        Assert.Equal(16, batch.Count);
        Assert.Equal(6, batch.TargetCount);
        for (int i = 0; i < 2; i++)
        {
            PreferenceExample pair = pairs[batch.Examples[i]];
            Check(batch, batch.Chosen[i], pair.Prompt, pair.Chosen);
            Check(batch, batch.Rejected[i], pair.Prompt, pair.Rejected);
        }
        Assert.Equal([0, 1], batch.Examples.Order());
    }

    [Fact]
    public void Long_completions_are_cut_and_long_prompts_dropped()
    {
        var source = new PreferenceBatches(
            [new([1, 2, 3], [4, 5, 6], [7]), new([1, 2, 3, 4], [5], [6]), new([1], [], [2])], maxLength: 4, 1, seed: 1);
        Assert.Equal((2, 1, 1), (source.Dropped, source.Truncated, source.PairsPerEpoch));
        var batch = (PreferenceBatch)BatchAssert.Filled(source, 0);
        Check(batch, batch.Chosen[0], [1, 2, 3], [4]);
        Check(batch, batch.Rejected[0], [1, 2, 3], [7]);
        Assert.Equal(new int[8], batch.Ids[8..]);
        Assert.Throws<InvalidDataException>(() => new PreferenceBatches([new([1, 2], [3], [4])], 2, 1, 1));
        Assert.Throws<InvalidDataException>(() => new PreferenceBatches([new([], [3], [4])], 8, 1, 1));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(8)]
    [InlineData(50)]
    [InlineData(130)] // more than there are pairs
    public void Any_batch_fits_and_epochs_see_each_pair_once(int pairsPerBatch)
    {
        var random = new Random(pairsPerBatch);
        int[] Ids(int most) => [.. Enumerable.Range(0, random.Next(1, most)).Select(_ => random.Next(1, 100))];
        PreferenceExample[] pairs = [.. Enumerable.Range(0, 60)
            .Select(i => new PreferenceExample(Ids(10), Ids(i < 3 ? 50 : 8), Ids(8)))];
        var source = new PreferenceBatches(pairs, 64, pairsPerBatch, seed: 9);
        int steps = (180 + pairsPerBatch - 1) / pairsPerBatch;
        int[] seen = [.. Enumerable.Range(0, steps).SelectMany(step =>
        {
            var batch = (PreferenceBatch)BatchAssert.Filled(source, step);
            for (int i = 0; i < pairsPerBatch; i++)
                Check(batch, batch.Chosen[i], pairs[batch.Examples[i]].Prompt, pairs[batch.Examples[i]].Chosen);
            return batch.Examples;
        })];
        Assert.Equal(Enumerable.Range(0, 60), seen[..60].Order());
        Assert.Equal(Enumerable.Range(0, 60), seen[60..120].Order());
        Assert.NotEqual(seen[..60], seen[60..120]);
        BatchAssert.IsPure(source, Math.Min(steps, 10));
    }

    [Fact]
    public void Another_kind_of_batch_is_refused()
    {
        var source = new PreferenceBatches([new([1], [2], [3])], 8, 1, 1);
        Assert.Throws<ArgumentException>(() => source.Fill(0, new PackedBatch(1, source.Length)));
        Assert.Throws<ArgumentException>(() => source.Fill(0, new PreferenceBatch(source.Length, 2)));
    }

    private static void Check(PreferenceBatch batch, CompletionSpan span, int[] prompt, int[] completion)
    {
        Assert.Equal(completion, batch.Targets[span.Start..span.End]);
        Assert.Equal(completion.Length, span.Length);
        int start = batch.Starts[span.Start];
        Assert.Equal([.. prompt, .. completion], batch.Ids[start..(span.End + 1)]);
        Assert.All(batch.Targets[start..span.Start], target => Assert.Equal(-1, target));
        Assert.Equal(-1, batch.Targets[span.End]);
    }
}

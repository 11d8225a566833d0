using Finery.Data.Batches;
using Xunit;

namespace Finery.Tests.Data.Batches;

public class PackedExamplesTests
{
    [Theory]
    [InlineData(4, "3 4 1", "1|0 2")]       // [1-3],[4-7],[8] -> [4-7],[1-3,8]
    [InlineData(4, "4 2 4 1", "0|2|1 3")]   // [1-5] cut to 4: third bin [6,7,12]
    [InlineData(4, "2 0 3 0 1", "2 4|0")]   // empties dropped: [3,4,5,6],[1,2]
    [InlineData(5, "5 1 4 3", "0|2 1|3")]
    [InlineData(10, "6 6 3 3 1", "0 2 4|1 3")] // equal room: the row that waited longer
    public void Packing_is_best_fit_decreasing(int capacity, string lengths, string expected)
    {
        var rows = BestFitPacking.Pack([.. lengths.Split(' ').Select(int.Parse)], capacity);
        Assert.Equal(expected, string.Join('|', rows.Select(row => string.Join(' ', row))));
    }

    [Fact]
    public void Packing_takes_each_item_once_and_never_overfills()
    {
        var random = new Random(1);
        for (int round = 0; round < 50; round++)
        {
            int capacity = random.Next(1, 300);
            int[] lengths = [.. Enumerable.Range(0, random.Next(400)).Select(_ => random.Next(capacity + 1))];
            var rows = BestFitPacking.Pack(lengths, capacity);
            Assert.All(rows, row => Assert.InRange(row.Sum(item => lengths[item]), 1, capacity));
            Assert.Equal(Enumerable.Range(0, lengths.Length).Where(i => lengths[i] > 0), rows.SelectMany(row => row).Order());
        }
        Assert.Throws<ArgumentException>(() => BestFitPacking.Pack([5], 4));
    }

    [Fact]
    public void Targets_follow_the_training_mask_inside_each_example()
    {
        var source = new PackedExamples([Example("1 2 3* 4*"), Example("5 6*")], length: 8, rowsPerBatch: 1, seed: 1, padId: 99);
        PackedBatch batch = BatchAssert.Filled(source, 0);
        Assert.Equal([1, 2, 3, 4, 5, 6, 99, 99], batch.Ids);
        Assert.Equal([-1, 3, 4, -1, 6, -1, -1, -1], batch.Targets);
        Assert.Equal([0, 1, 2, 3, 0, 1, 0, 0], batch.Positions);
        Assert.Equal([0, 0, 0, 0, 4, 4, 6, 7], batch.Starts);
        Assert.Equal(1f / 3, batch.Weights[1]);
    }

    [Fact]
    public void Long_examples_are_cut_and_those_without_a_label_dropped()
    {
        var source = new PackedExamples([Example("1 2 3 4* 5*"), Example("6 7* 8* 9*"), Example("1* 2"), Example("")], 3, 1, 1);
        Assert.Equal((3, 1, 1, 3L), (source.Dropped, source.Truncated, source.RowsPerEpoch, source.TokensPerEpoch));
        Assert.Equal([6, 7, 8], BatchAssert.Filled(source, 0).Ids);
        Assert.Throws<InvalidDataException>(() => new PackedExamples([Example("1 2")], 8, 1, 1));
        Assert.Throws<InvalidDataException>(() => new PackedExamples([new([1, 2], [true])], 8, 1, 1));
        Assert.Throws<InvalidDataException>(() => new PackedExamples([], 8, 1, 1));
    }

    [Fact]
    public void Each_epoch_sees_each_example_once_in_another_order()
    {
        var random = new Random(2);
        TrainingExample[] examples = [.. Enumerable.Range(1, 200).Select(i =>
            new TrainingExample([.. Enumerable.Repeat(i, random.Next(2, 20))], [.. Enumerable.Repeat(true, 20)]))];
        examples = [.. examples.Select(example => example with { Trained = example.Trained[..example.Ids.Length] })];
        var source = new PackedExamples(examples, 32, 1, seed: 5);
        int[][] Epoch(int epoch) => [.. Enumerable.Range(0, source.RowsPerEpoch)
            .Select(i => BatchAssert.Filled(source, (epoch * source.RowsPerEpoch) + i).Ids)];
        int[][] first = Epoch(0), second = Epoch(1);
        Assert.NotEqual(first, second);
        Assert.Equal(examples.SelectMany(example => example.Ids).Order(), first.SelectMany(ids => ids).Where(id => id > 0)
            .Order());
        Assert.Equal(first.SelectMany(ids => ids).Order(), second.SelectMany(ids => ids).Order());
        Assert.Equal(1, source.EpochAt(source.RowsPerEpoch));
        BatchAssert.IsPure(new PackedExamples(examples, 32, 4, seed: 5), 30);
    }

    [Fact]
    public void Fingerprints_tell_data_apart()
    {
        string Of(string ids, ulong seed = 1) => new PackedExamples([Example(ids)], 8, 1, seed).Fingerprint;
        Assert.Equal(4, new[] { Of("1 2*"), Of("1 3*"), Of("1* 2*"), Of("1 2*", 2) }.Distinct().Count());
        Assert.Equal(Of("1 2*"), Of("1 2*"));
    }

    /// <summary>Ids; a star marks those trained.</summary>
    private static TrainingExample Example(string ids)
    {
        string[] parts = ids.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return new TrainingExample([.. parts.Select(part => int.Parse(part.TrimEnd('*')))],
            [.. parts.Select(part => part.EndsWith('*'))]);
    }
}

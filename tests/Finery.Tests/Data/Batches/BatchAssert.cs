using Finery.Data.Batches;
using Xunit;

namespace Finery.Tests.Data.Batches;

/// <summary>What holds for every batch of every source.</summary>
internal static class BatchAssert
{
    public static void IsConsistent(PackedBatch batch)
    {
        int targets = 0;
        for (int i = 0; i < batch.Count; i++)
        {
            int start = batch.Starts[i], rowStart = i / batch.Length * batch.Length;
            Assert.InRange(start, rowStart, i);
            Assert.Equal(i - start, batch.Positions[i]);
            Assert.True(i == rowStart || start == i || start == batch.Starts[i - 1], "a segment has one start");
            if (batch.Targets[i] < 0)
            {
                Assert.Equal((-1, 0f), (batch.Targets[i], batch.Weights[i]));
                continue;
            }
            targets++;
            bool isLastOfRow = i + 1 == rowStart + batch.Length;
            if (!isLastOfRow) Assert.Equal((start, batch.Ids[i + 1]), (batch.Starts[i + 1], batch.Targets[i]));
        }
        Assert.Equal(targets, batch.TargetCount);
        Assert.All(batch.Weights.Where(weight => weight != 0), weight => Assert.Equal(1f / targets, weight));
    }

    public static PackedBatch Filled(IBatchSource source, long step)
    {
        PackedBatch batch = source.CreateBatch();
        source.Fill(step, batch);
        IsConsistent(batch);
        return batch;
    }

    public static void AreEqual(PackedBatch expected, PackedBatch actual)
    {
        Assert.Equal(expected.Ids, actual.Ids);
        Assert.Equal(expected.Positions, actual.Positions);
        Assert.Equal(expected.Starts, actual.Starts);
        Assert.Equal(expected.Targets, actual.Targets);
        Assert.Equal(expected.Weights, actual.Weights);
        Assert.Equal(expected.Sources, actual.Sources);
    }

    /// <summary>A batch does not depend on what was filled before, on what the arrays held, or on the thread.</summary>
    public static void IsPure(IBatchSource source, int steps)
    {
        PackedBatch[] expected = [.. Enumerable.Range(0, steps).Select(step => Filled(source, step))];
        PackedBatch reused = source.CreateBatch();
        for (int step = steps - 1; step >= 0; step--)
        {
            source.Fill(step, reused);
            AreEqual(expected[step], reused);
        }
        var parallel = new PackedBatch[steps];
        Parallel.For(0, steps, new ParallelOptions { MaxDegreeOfParallelism = 8 }, step => parallel[step] = Filled(source, step));
        for (int step = 0; step < steps; step++) AreEqual(expected[step], parallel[step]);
    }
}

using Finery.Data.Batches;
using Xunit;

namespace Finery.Tests.Data.Batches;

public class SeededHashTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(64)]
    [InlineData(65)]
    [InlineData(1000)]
    [InlineData(4097)]
    public void Permutation_is_a_bijection(int count)
    {
        for (ulong seed = 0; seed < 5; seed++)
        {
            var permutation = new SeededPermutation(count, seed);
            Assert.Equal(Enumerable.Range(0, count).Select(i => (long)i), Enumerable.Range(0, count).Select(i => permutation[i])
                .Order());
        }
    }

    [Fact]
    public void Permutation_moves_items_evenly()
    {
        // 2,000 seeds: each of 10 items lands on each of 10 places about 200 times (chi-square, 81 degrees of freedom, p > 1e-6)
        var seen = new int[10, 10];
        for (ulong seed = 0; seed < 2000; seed++)
        {
            var permutation = new SeededPermutation(10, SeededHash.Mix(1, seed));
            for (int i = 0; i < 10; i++) seen[i, permutation[i]]++;
        }
        double chiSquare = seen.Cast<int>().Sum(count => (count - 200.0) * (count - 200.0) / 200);
        Assert.InRange(chiSquare, 20, 155);
    }

    [Fact]
    public void Values_are_frozen()
    {
        // written into checkpoints through the order of batches: a change would break every resumed run
        Assert.Equal(0x5692161D100B05E5UL, SeededHash.Mix(1));
        Assert.Equal([8, 0, 3, 5, 6], Enumerable.Range(0, 5).Select(i => new SeededPermutation(10, 42)[i]));
        Assert.Equal(5, SeededHash.Below(1UL << 63, 10));
    }
}

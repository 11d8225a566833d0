using Finery.Data.Deduplication.MinHash;
using Xunit;

namespace Finery.Tests.Data.Deduplication.MinHash;

public sealed class DisjointSetsTests
{
    [Fact]
    public void Threads_in_any_order_find_the_same_roots()
    {
        var random = new Random(1);
        var pairs = Enumerable.Range(0, 20_000).Select(_ => (A: (uint)random.Next(30_000),
            B: (uint)random.Next(30_000))).ToArray();
        var plain = new DisjointSets(30_000);
        foreach (var (a, b) in pairs)
            plain.Union(a, b);
        var shared = new DisjointSets(30_000);
        random.Shuffle(pairs);
        Parallel.ForEach(pairs, new() { MaxDegreeOfParallelism = 8 }, p => shared.Union(p.B, p.A));
        plain.CountSizes();
        shared.CountSizes();
        for (uint i = 0; i < 30_000; i++)
        {
            Assert.Equal(plain.Find(i), shared.Find(i));
            Assert.True(plain.Find(i) <= i);
            Assert.Equal(plain.SizeOf(plain.Find(i)), shared.SizeOf(shared.Find(i)));
        }
    }

    [Fact]
    public void By_size_the_larger_set_keeps_its_root_and_the_index_always_does()
    {
        var sets = new DisjointSets(8);
        sets.UnionBySize(5, 3);
        Assert.Equal(5u, sets.Find(3));
        sets.UnionBySize(2, 3);
        Assert.Equal(5u, sets.Find(2));
        sets.UnionBySize(6, 7);
        sets.UnionBySize(7, 4);
        sets.UnionBySize(5, 6);
        Assert.Equal(5u, sets.Find(4));
        sets.UnionBySize(4, 0);
        Assert.Equal(0u, sets.Find(2));
        sets.CountSizes();
        Assert.Equal(7u, sets.SizeOf(0));
    }

    [Fact]
    public void Participants_are_numbered_in_order()
    {
        var random = new Random(2);
        var chosen = Enumerable.Range(0, 5000).Where(_ => random.Next(4) == 0).Select(i => (long)i).ToList();
        var participants = new Participants(5000);
        Parallel.ForEach(chosen.Concat(chosen), participants.Add);
        participants.Number();
        Assert.Equal(chosen.Count, participants.Count);
        Assert.Equal(chosen, participants.All());
        Assert.Equal(Enumerable.Range(1, chosen.Count).Select(i => (long)i), chosen.Select(participants.NumberOf));
    }
}

using Finery.Tensors;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Finery.Tests.Tensors;

public class MemoryPlanTests
{
    /// <summary>Buffers of any size, each in use during one to three spans.</summary>
    private static (long Bytes, Lifespan[] Spans)[] Buffers(int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, random.Next(1, 60)).Select(_ =>
        {
            int moment = random.Next(40);
            var spans = new Lifespan[random.Next(1, 4)];
            for (int i = 0; i < spans.Length; i++)
            {
                spans[i] = new(moment, moment + random.Next(12));
                moment = spans[i].End + 1 + random.Next(10);
            }
            return ((long)random.Next(0, 5000), spans);
        })];
    }

    private static (MemoryPlan Plan, long[] Offsets) Place((long Bytes, Lifespan[] Spans)[] buffers, bool share = true)
    {
        var plan = new MemoryPlan();
        foreach (var (bytes, spans) in buffers) plan.Add(bytes, spans);
        plan.Place(share);
        return (plan, [.. Enumerable.Range(0, buffers.Length).Select(plan.Offset)]);
    }

    [Fact]
    public void Buffers_in_use_together_never_overlap() => Check.QuickThrowOnFailure(Prop.ForAll(ArbMap.Default.ArbFor<int>(), seed =>
    {
        var buffers = Buffers(seed);
        var (plan, offsets) = Place(buffers);
        for (int i = 0; i < buffers.Length; i++)
        {
            Assert.True(offsets[i] >= 0 && offsets[i] % Arena.Alignment == 0 && offsets[i] + buffers[i].Bytes <= plan.Bytes);
            for (int j = 0; j < i; j++)
            {
                bool together = buffers[i].Spans.Any(a => buffers[j].Spans.Any(b => a.Start <= b.End && b.Start <= a.End));
                bool overlap = offsets[i] < offsets[j] + buffers[j].Bytes && offsets[j] < offsets[i] + buffers[i].Bytes;
                Assert.False(together && overlap, $"{i} at {offsets[i]} and {j} at {offsets[j]}");
            }
        }
        Assert.InRange(plan.Bytes, plan.LowerBound, plan.UnsharedBytes);
        Assert.Equal(offsets, Place(buffers).Offsets);
    }));

    [Fact]
    public void Not_sharing_puts_all_side_by_side()
    {
        var (plan, offsets) = Place([(100, [new(0, 0)]), (64, [new(5, 5)]), (1, [new(9, 9)])], share: false);
        Assert.Equal([0, 128, 192], offsets);
        Assert.Equal(256, plan.Bytes);
    }

    [Fact]
    public void A_chain_needs_two_buffers_at_a_time()
    {
        // Each is written at one moment and read at the next.
        var (plan, _) = Place([.. Enumerable.Range(0, 20).Select(i => (640L, new Lifespan[] { new(i, i + 1) }))]);
        Assert.Equal(1280, plan.Bytes);
    }

    [Fact]
    public void A_buffer_in_use_twice_shares_its_pause()
    {
        var (plan, _) = Place([(64, [new(0, 1), new(8, 9)]), (64, [new(2, 7)])]);
        Assert.Equal(64, plan.Bytes);
    }
}

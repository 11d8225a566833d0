using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Tensors.Ops;

public class CachedAttentionTests : OpTest
{
    [Theory]
    [InlineData("reference", 1)]
    [InlineData("reference", 50, 1.5f)]
    [InlineData("cpu2", 20, 1.5f)]
    [InlineData("cpu1", 1)]
    [InlineData("cpu2", 1)]
    [InlineData("cpu2", 7)]
    [InlineData("cpu2", 64)]
    [InlineData("cpu3", 100)]
    public void In_any_portions_it_equals_attention_over_the_whole(string name, int portion, float softcap = 0)
    {
        const int N = 137;
        var shape = new AttentionShape(6, 2, 24) { Softcap = softcap };
        var qkv = Normal(1, N, shape.QkvColumns);
        var (expected, logSumExp, maxLogit) = (Zeros(N, shape.OutputColumns), Zeros(N, 6), Zeros(6));
        Create("reference").AttentionForward(qkv, Integers(new int[N]), shape, expected, logSumExp, maxLogit);
        var kernels = Create(name);
        var cache = new KeyValueCache(Arena, 1, N, shape);
        var output = Poisoned(N, shape.OutputColumns);
        while (cache.Length < N)
        {
            int count = Math.Min(portion, N - cache.Length);
            kernels.CachedAttention(
                qkv.Slice(cache.Length, count), cache.Keys(0), cache.Values(0), cache.Length, shape, output.Slice(cache.Length, count));
            cache.Length += count;
        }
        AssertClose(expected, output, 2e-6);
    }

    [Fact]
    public void Threads_change_nothing()
    {
        var shape = new AttentionShape(4, 2, 32);
        var qkv = Normal(2, 150, shape.QkvColumns);
        var outputs = ((string[])["cpu1", "cpu2", "cpu3"]).Select(name =>
        {
            var cache = new KeyValueCache(Arena, 1, 150, shape);
            var output = Poisoned(150, shape.OutputColumns);
            Create(name).CachedAttention(qkv, cache.Keys(0), cache.Values(0), 0, shape, output);
            return output;
        }).ToArray();
        AssertSameBits(outputs[0], outputs[1]);
        AssertSameBits(outputs[0], outputs[2]);
    }

    [Fact]
    public void Allocates_nothing()
    {
        var (kernels, shape) = (Create("cpu2"), new AttentionShape(4, 2, 32));
        var (qkv, output, cache) = (Normal(3, 1, shape.QkvColumns), Zeros(1, shape.OutputColumns), new KeyValueCache(Arena, 1, 10, shape));
        AssertAllocatesNothing(() => kernels.CachedAttention(qkv, cache.Keys(0), cache.Values(0), 9, shape, output));
    }

    [Theory]
    [InlineData(8)]
    [InlineData(-1)]
    [InlineData(int.MaxValue)]
    public void A_full_cache_is_an_error(int length)
    {
        var (kernels, shape) = (Create("cpu1"), new AttentionShape(1, 1, 8));
        var cache = new KeyValueCache(Arena, 1, 10, shape);
        Assert.Throws<ArgumentException>(
            () => kernels.CachedAttention(Zeros(3, 24), cache.Keys(0), cache.Values(0), length, shape, Zeros(3, 8)));
    }
}

using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Tensors;

public unsafe class ArenaTests
{
    [Fact]
    public void Tensors_are_zeroed_aligned_and_apart()
    {
        using var arena = new Arena("test");
        var tensors = new List<Tensor>();
        // 5M floats are more than a block: they get one of their own.
        foreach (int length in (int[])[1, 0, 17, 5_000_000, 3, 4_000_000, 900_000]) tensors.Add(arena.Floats("t", length));
        foreach (var tensor in tensors)
        {
            fixed (byte* data = tensor.Bytes) Assert.Equal(0, (nint)data % Arena.Alignment);
            Assert.False(tensor.Floats.ContainsAnyExcept(0));
        }
        for (int i = 0; i < tensors.Count; i++) tensors[i].Floats.Fill(i);
        for (int i = 0; i < tensors.Count; i++) Assert.False(tensors[i].Floats.ContainsAnyExcept(i));
        Assert.Equal(64 * 2 + 128 + 20_000_000 + 64 + 16_000_000 + 3_600_000, arena.Bytes);
    }

    [Fact]
    public void Impossible_shapes_and_use_after_disposal_are_errors()
    {
        var arena = new Arena("test");
        Assert.Throws<ArgumentException>(() => arena.Floats("t", 1, 1, 1, 1, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => arena.Floats("t", 2, -1));
        Assert.Throws<OverflowException>(() => arena.Floats("t", int.MaxValue, int.MaxValue, int.MaxValue));
        arena.Dispose();
        arena.Dispose();
        Assert.Throws<ObjectDisposedException>(() => arena.Floats("t", 1));
    }

    [Fact]
    public void No_memory_is_an_error_that_names_the_tensor()
    {
        using var arena = new Arena("weights");
        var error = Assert.Throws<InsufficientMemoryException>(() => arena.Floats("embedding", int.MaxValue, 1 << 28));
        Assert.Contains("'weights': no memory for embedding", error.Message, StringComparison.Ordinal);
        Assert.Equal(0, arena.Bytes);
    }
}

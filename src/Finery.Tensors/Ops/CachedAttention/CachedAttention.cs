namespace Finery.Tensors;

/// <summary>Keys and values of the tokens a sequence has seen, for every layer.</summary>
public sealed class KeyValueCache
{
    private readonly Tensor[] _keys;
    private readonly Tensor[] _values;

    /// <summary>Allocates room for <paramref name="capacity"/> tokens.</summary>
    public KeyValueCache(Arena arena, int layers, int capacity, AttentionShape shape)
    {
        Capacity = capacity;
        _keys = [.. Enumerable.Range(0, layers).Select(layer => arena.Floats($"keys.{layer}", capacity, shape.KvHeadCount * shape.HeadSize))];
        _values = [.. Enumerable.Range(0, layers).Select(layer => arena.Floats($"values.{layer}", capacity, shape.KvHeadCount * shape.HeadSize))];
    }

    /// <summary>Most tokens it can hold.</summary>
    public int Capacity { get; }

    /// <summary>Tokens held. A replayed step writes its tokens behind them; the caller then advances this.</summary>
    public int Length { get; set; }

    /// <summary>[capacity, KV HS] of a layer.</summary>
    public Tensor Keys(int layer) => _keys[layer];

    /// <summary>[capacity, KV HS] of a layer.</summary>
    public Tensor Values(int layer) => _values[layer];
}

public abstract partial class Kernels
{
    /// <summary>Attention of S new tokens over a cache: writes their keys and values at rows <paramref name="length"/>.., then new token s
    /// sees rows <c>0..length+s</c>. Same result as <see cref="AttentionForward"/> over the whole sequence.</summary>
    /// <param name="qkv">[S, (H + 2 KV) HS].</param>
    /// <param name="keys">[capacity, KV HS].</param>
    /// <param name="values">[capacity, KV HS].</param>
    /// <param name="length">Tokens already in the cache.</param>
    /// <param name="shape">Layout of a row of <paramref name="qkv"/>.</param>
    /// <param name="output">[S, H HS], overwritten.</param>
    /// <exception cref="ArgumentException">The cache is full.</exception>
    public void CachedAttention(Tensor qkv, Tensor keys, Tensor values, int length, AttentionShape shape, Tensor output)
    {
        CheckShape(shape);
        Check(qkv, qkv.Rows, shape.QkvColumns);
        Check(keys, keys.Rows, shape.KvHeadCount * shape.HeadSize);
        Check(values, keys.Rows, shape.KvHeadCount * shape.HeadSize);
        Check(output, qkv.Rows, shape.OutputColumns);
        if (length < 0 || length > keys.Rows - qkv.Rows)
        {
            throw new ArgumentException(
                $"CachedAttention: {length} + {qkv.Rows} tokens do not fit a cache of {keys.Rows}.", nameof(length));
        }
        double scores = (length + (qkv.Rows + 1) / 2.0) * qkv.Rows * shape.OutputColumns;
        using var scope = Measure(qkv, 4 * scores, qkv.ByteLength + output.ByteLength + (double)(length + qkv.Rows) * 2 * keys.Columns * keys.Type.ByteSize());
        CachedAttentionCore(qkv, keys, values, length, shape, output);
    }

    private protected abstract void CachedAttentionCore(
        Tensor qkv, Tensor keys, Tensor values, int length, AttentionShape shape, Tensor output);
}

public sealed partial class Tape
{
    /// <summary>Attention over a cache (inference only); reads the cache's length at each replay.</summary>
    /// <param name="qkv">[S, (H + 2 KV) HS].</param>
    /// <param name="cache">Keys and values so far.</param>
    /// <param name="layer">Which layer of the cache.</param>
    /// <param name="shape">Layout of a row.</param>
    /// <returns>[S, H HS].</returns>
    public Tensor CachedAttention(Tensor qkv, KeyValueCache cache, int layer, AttentionShape shape)
    {
        if (_gradients) throw new InvalidOperationException("CachedAttention has no backward pass: record the tape without gradients.");
        var output = Activation($"attention of {qkv.Name}", qkv.Rows, shape.OutputColumns);
        Record(new CachedAttentionOperation(qkv, cache, layer, shape, output));
        return output;
    }

    private sealed class CachedAttentionOperation(
        Tensor qkv, KeyValueCache cache, int layer, AttentionShape shape, Tensor output) : Operation
    {
        public override Uses UsesOf(Pass pass) =>
            new([qkv, cache.Keys(layer), cache.Values(layer)], [output, cache.Keys(layer), cache.Values(layer)]);

        public override void Forward(Kernels kernels) =>
            kernels.CachedAttention(qkv, cache.Keys(layer), cache.Values(layer), cache.Length, shape, output);

        public override void Backward(Kernels kernels) => throw new InvalidOperationException("CachedAttention has no backward pass.");
    }
}

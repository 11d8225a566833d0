using System.Runtime.CompilerServices;
using static Finery.Tensors.AttentionTiles;

namespace Finery.Tensors;

/// <summary>Queries and keys of one model, whatever their type: blocks of at most <see cref="AttentionTiles.Keys"/> tokens come out of
/// their rows into scratch memory in single precision, and gradients are added to them.</summary>
internal readonly unsafe struct AttentionRows(Tensor qkv, AttentionShape shape)
{
    private readonly void* _rows = qkv.Pointer;
    private readonly bool _narrow = qkv.Type == DType.BF16;

    public AttentionShape Shape { get; } = shape;

    /// <summary>Floats from one query or key in scratch memory to the next.</summary>
    public int Width => RoundUp(Shape.HeadSize, 16);

    /// <summary>Floats of a block of one head.</summary>
    public int BlockFloats => AttentionTiles.Keys * Width;

    /// <summary>[H, <see cref="AttentionTiles.Keys"/>, <see cref="Width"/>], times the scale of scores.</summary>
    public void LoadQueries<W, V>(int from, int count, float* queries) where W : struct, IWidth<V> where V : struct
    {
        for (int head = 0; head < Shape.HeadCount; head++)
            Load<W, V>(from, count, head * Shape.HeadSize, Shape.ScoreScale, queries + head * BlockFloats);
    }

    /// <summary>[KV, <see cref="AttentionTiles.Keys"/>, <see cref="Width"/>].</summary>
    public void LoadKeys<W, V>(int from, int count, float* keys) where W : struct, IWidth<V> where V : struct
    {
        for (int head = 0; head < Shape.KvHeadCount; head++)
            Load<W, V>(from, count, Shape.KeyOffset + head * Shape.HeadSize, 1, keys + head * BlockFloats);
    }

    /// <summary>[KV, HS, <see cref="AttentionTiles.Keys"/>], a block to each head.</summary>
    public void TransposeKeys(int from, int count, float* keys)
    {
        for (int head = 0; head < Shape.KvHeadCount; head++)
        {
            long at = (long)from * Shape.QkvColumns + Shape.KeyOffset + head * Shape.HeadSize;
            if (_narrow) Transpose((BFloat16Element*)_rows + at, Shape.QkvColumns, count, Shape.HeadSize, keys + head * BlockFloats);
            else Transpose((FloatElement*)_rows + at, Shape.QkvColumns, count, Shape.HeadSize, keys + head * BlockFloats);
        }
    }

    /// <summary>Scores of the queries of a head with a block of keys, bounded where there is a softcap; where both are
    /// <paramref name="same"/> tokens, with the keys up to the query itself at least.</summary>
    public void Score<W, V>(int head, float* queries, float* transposedKeys, int count, bool same, float* scores)
        where W : struct, IWidth<V> where V : struct
    {
        queries += head * BlockFloats;
        transposedKeys += head / (Shape.HeadCount / Shape.KvHeadCount) * BlockFloats;
        for (int row = 0; row < count; row += Rows)
        {
            int columns = RoundUp(same ? Math.Min(row + Rows, count) : AttentionTiles.Keys, W.Count);
            float* tile = scores + row * AttentionTiles.Keys;
            Multiply<W, V>(
                queries + row * Width, Width, 1, transposedKeys, AttentionTiles.Keys, Shape.HeadSize, tile, AttentionTiles.Keys, columns, add: false);
            for (int i = 0; i < Rows && Shape.Softcap > 0; i++)
                AttentionSoftcap.Bound<W, V>(tile + i * AttentionTiles.Keys, columns, Shape.Softcap);
        }
    }

    /// <summary>Adds <paramref name="factor"/> times each of <paramref name="count"/> rows of a block to HS columns.</summary>
    public void Add<W, V>(int from, int count, int column, float factor, float* block) where W : struct, IWidth<V> where V : struct
    {
        for (int row = 0; row < count; row++)
        {
            long at = (long)(from + row) * Shape.QkvColumns + column;
            if (_narrow) Add<W, V, BFloat16Element>(block + row * Width, factor, (BFloat16Element*)_rows + at);
            else Add<W, V, FloatElement>(block + row * Width, factor, (FloatElement*)_rows + at);
        }
    }

    private void Load<W, V>(int from, int count, int column, float factor, float* block) where W : struct, IWidth<V> where V : struct
    {
        for (int row = 0; row < count; row++)
        {
            long at = (long)(from + row) * Shape.QkvColumns + column;
            var destination = (FloatElement*)(block + row * Width);
            if (_narrow) CopyScaled<W, V, BFloat16Element, FloatElement>((BFloat16Element*)_rows + at, factor, destination, Shape.HeadSize, Width);
            else CopyScaled<W, V, FloatElement, FloatElement>((FloatElement*)_rows + at, factor, destination, Shape.HeadSize, Width);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Add<W, V, E>(float* source, float factor, E* destination)
        where W : struct, IWidth<V> where V : struct where E : unmanaged, IElement<E>
    {
        int i = 0;
        V factors = W.Broadcast(factor);
        for (; i <= Shape.HeadSize - W.Count; i += W.Count)
            E.Store<W, V>(W.MultiplyAdd(W.Load(source + i), factors, E.Load<W, V>(destination + i)), destination + i);
        for (; i < Shape.HeadSize; i++)
            E.Store<Scalar, float>(Scalar.MultiplyAdd(source[i], factor, E.Load<Scalar, float>(destination + i)), destination + i);
    }
}

using System.Runtime.CompilerServices;

namespace Finery.Tensors;

/// <summary>How one row of the fused query/key/value activation is laid out: H query heads, KV key heads, KV value heads, each HS wide.</summary>
/// <param name="HeadCount">H, query heads; a multiple of <paramref name="KvHeadCount"/>.</param>
/// <param name="KvHeadCount">KV, key and value heads. Query head j reads kv head j / (H/KV).</param>
/// <param name="HeadSize">HS, even.</param>
public readonly record struct AttentionShape(int HeadCount, int KvHeadCount, int HeadSize)
{
    /// <summary>Factor on the products of queries and keys; 0 for the usual <c>1/sqrt(HS)</c>.</summary>
    public float Scale { get; init; }

    /// <summary>c: attention scores are bounded to (-c, c) by <c>c tanh(s / c)</c> after scaling; 0 for none.</summary>
    public float Softcap { get; init; }

    /// <summary>The factor on the products of queries and keys.</summary>
    internal float ScoreScale => Scale > 0 ? Scale : 1 / MathF.Sqrt(HeadSize);

    /// <summary>Width of a fused row: (H + 2 KV) HS.</summary>
    public int QkvColumns => (HeadCount + 2 * KvHeadCount) * HeadSize;

    /// <summary>Width of the attention output: H HS.</summary>
    public int OutputColumns => HeadCount * HeadSize;

    /// <summary>Column where the keys begin.</summary>
    public int KeyOffset => HeadCount * HeadSize;

    /// <summary>Column where the values begin.</summary>
    public int ValueOffset => (HeadCount + KvHeadCount) * HeadSize;
}

public abstract partial class Kernels
{
    /// <summary>Rotates queries and keys in place, half-split pairing (pretraining reference 1.3):
    /// <c>(x_i, x_{i+HS/2}) -> (x_i c - x_{i+HS/2} s, x_{i+HS/2} c + x_i s)</c> with c, s of the row's position.</summary>
    /// <param name="qkv">[N, (H + 2 KV) HS], queries and keys rotated in place.</param>
    /// <param name="positions">I32 [N], each in [0, rows of the tables).</param>
    /// <param name="cos">F32 [P, HS/2].</param>
    /// <param name="sin">F32 [P, HS/2].</param>
    /// <param name="shape">Layout of a row.</param>
    /// <param name="inverse">Rotates by the negative angle: the backward pass, applied to the gradient of qkv.</param>
    /// <exception cref="ArgumentOutOfRangeException">A position is outside the tables.</exception>
    public void Rope(Tensor qkv, Tensor positions, Tensor cos, Tensor sin, AttentionShape shape, bool inverse)
    {
        CheckShape(shape);
        Check(qkv, (int)positions.Length, shape.QkvColumns);
        Check(cos, cos.Rows, shape.HeadSize / 2, DType.F32);
        Check(sin, cos.Rows, shape.HeadSize / 2, DType.F32);
        CheckLength(positions, qkv.Rows, DType.I32);
        foreach (int position in positions.Integers)
        {
            if ((uint)position >= (uint)cos.Rows)
                throw new ArgumentOutOfRangeException(nameof(positions), $"Rope: position {position}; expected [0, {cos.Rows}).");
        }
        double rotated = (double)qkv.Rows * (shape.HeadCount + shape.KvHeadCount) * shape.HeadSize;
        using var scope = Measure(qkv, 3 * rotated, 2 * rotated * qkv.Type.ByteSize());
        RopeCore(qkv, positions, cos, sin, shape, inverse);
    }

    private protected abstract void RopeCore(
        Tensor qkv, Tensor positions, Tensor cos, Tensor sin, AttentionShape shape, bool inverse);

    private static void CheckShape(AttentionShape shape, [CallerMemberName] string op = "")
    {
        if (shape.KvHeadCount < 1 || shape.HeadCount < 1 || shape.HeadCount % shape.KvHeadCount != 0)
            throw new ArgumentException($"{op}: {shape.HeadCount} query heads are not a multiple of {shape.KvHeadCount} kv heads.", nameof(shape));
        if (shape.HeadSize < 2 || shape.HeadSize % 2 != 0)
            throw new ArgumentException($"{op}: head size {shape.HeadSize} is not even and positive.", nameof(shape));
        if (!(shape.Scale >= 0 && float.IsFinite(shape.Scale)))
            throw new ArgumentException($"{op}: scale {shape.Scale}; expected a finite number from 0.", nameof(shape));
        if (!(shape.Softcap >= 0 && float.IsFinite(shape.Softcap)))
            throw new ArgumentException($"{op}: softcap {shape.Softcap}; expected a finite number from 0.", nameof(shape));
    }
}

public sealed partial class Tape
{
    /// <summary>Rotates queries and keys of <paramref name="qkv"/> in place (nothing before it needs the unrotated values).</summary>
    /// <param name="qkv">[N, (H + 2 KV) HS].</param>
    /// <param name="positions">I32 [N].</param>
    /// <param name="cos">[P, HS/2].</param>
    /// <param name="sin">[P, HS/2].</param>
    /// <param name="shape">Layout of a row.</param>
    public void Rope(Tensor qkv, Tensor positions, Tensor cos, Tensor sin, AttentionShape shape) =>
        Record(new RopeOperation(qkv, positions, cos, sin, shape));

    private sealed class RopeOperation(Tensor qkv, Tensor positions, Tensor cos, Tensor sin, AttentionShape shape) : Operation
    {
        public override Uses UsesOf(Pass pass) => pass == Pass.Backward
            ? new([qkv.Gradient, positions], [qkv.Gradient])
            : new([qkv, positions], [qkv]);

        public override void Forward(Kernels kernels) => kernels.Rope(qkv, positions, cos, sin, shape, inverse: false);

        public override void Backward(Kernels kernels) => kernels.Rope(qkv.Gradient!, positions, cos, sin, shape, inverse: true);
    }
}

namespace Finery.Tensors;

public sealed unsafe partial class CpuKernels
{
    private protected override void ConcatForwardCore(Tensor a, Tensor b, Tensor y) => Concat(a, b, y, apart: false);

    private protected override void ConcatBackwardCore(Tensor dy, Tensor da, Tensor db) => Concat(da, db, dy, apart: true);

    private void Concat(Tensor a, Tensor b, Tensor both, bool apart)
    {
        int element = both.Type.ByteSize();
        var body = new ConcatBody(a.Data, b.Data, both.Data, a.Columns * element, b.Columns * element, both.Rows, apart);
        _pool.For((both.Rows + RowGrain - 1) / RowGrain, body);
    }

    private readonly struct ConcatBody(byte* a, byte* b, byte* both, int aBytes, int bBytes, int rows, bool apart) : IParallelBody
    {
        public void Run(int task, int worker)
        {
            int end = Math.Min(rows, (task + 1) * RowGrain);
            for (long row = task * RowGrain; row < end; row++)
            {
                byte* joined = both + row * (aBytes + bBytes);
                Span<byte> left = new(a + row * aBytes, aBytes), right = new(b + row * bBytes, bBytes);
                Span<byte> first = new(joined, aBytes), second = new(joined + aBytes, bBytes);
                (apart ? first : left).CopyTo(apart ? left : first);
                (apart ? second : right).CopyTo(apart ? right : second);
            }
        }
    }
}

namespace Finery.Tensors;

internal sealed unsafe partial class Gemm
{
    // Made by the first product that has a BF16 operand.
    private Bf16Gemm? _bf16;
    private OneDnn? _oneDnn;
    private bool _looked;

    /// <summary>Whether products with a BF16 operand run on the processor's bfloat16 instructions; an F32 operand is then rounded. Elsewhere
    /// operands are widened.</summary>
    private bool UsesBf16(DType a, DType b)
    {
        if (a != DType.BF16 && b != DType.BF16) return false;
        if (!_looked)
        {
            _looked = true;
            if (Bf16Gemm.IsSupported) _bf16 = new(_pool);
            if (OneDnn.IsRequested && (_oneDnn = OneDnn.Load(out _)) is not null) OneDnn.SetThreads(_pool.Threads);
        }
        return _bf16 is not null || _oneDnn is not null;
    }

    private bool TryMultiplyBf16(int m, int n, int k, StridedMatrix a, StridedMatrix b, StridedMatrix c, bool add, float* addend)
    {
        if (!UsesBf16(a.Type, b.Type)) return false;
        if (_oneDnn is not null && a.Type == b.Type && addend == null && k > 0)
        {
            try
            {
                _oneDnn.Multiply(m, n, k, a, b, c, add);
                return true;
            }
            catch (PlatformNotSupportedException)
            {
                _oneDnn.Dispose();
                _oneDnn = null;
            }
        }
        if (_bf16 is null) return false;
        _bf16.Multiply(m, n, k, a, b, c, add, addend);
        return true;
    }
}

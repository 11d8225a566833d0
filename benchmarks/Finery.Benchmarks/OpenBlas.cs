using System.Runtime.InteropServices;

namespace Finery.Benchmarks;

/// <summary>The peer of the matrix product, where it is installed (Debian: libopenblas0-pthread).</summary>
internal sealed unsafe class OpenBlas
{
    private const int RowMajor = 101, Plain = 111, Transposed = 112;

    private static readonly string[] Names = ["libopenblas.so.0", "libopenblas.0.dylib", "libopenblas.dylib", "libopenblas.dll"];

    private readonly delegate* unmanaged<int, int, int, int, int, int, float, float*, int, float*, int, float, float*, int, void> _multiply;
    private readonly delegate* unmanaged<int, void> _setThreads;

    private OpenBlas(nint library)
    {
        _multiply = (delegate* unmanaged<int, int, int, int, int, int, float, float*, int, float*, int, float, float*, int, void>)
            NativeLibrary.GetExport(library, "cblas_sgemm");
        _setThreads = (delegate* unmanaged<int, void>)NativeLibrary.GetExport(library, "openblas_set_num_threads");
    }

    public static OpenBlas? Load()
    {
        foreach (string name in Names)
        {
            if (NativeLibrary.TryLoad(name, out nint library)) return new(library);
        }
        return null;
    }

    public void SetThreads(int threads) => _setThreads(threads);

    /// <summary><c>C = op(A) op(B) + beta C</c> for row-major matrices.</summary>
    public void Multiply(
        bool transposeA, bool transposeB, int m, int n, int k, Span<float> a, Span<float> b, float beta, Span<float> c)
    {
        fixed (float* pa = a, pb = b, pc = c)
        {
            _multiply(
                RowMajor, transposeA ? Transposed : Plain, transposeB ? Transposed : Plain, m, n, k, 1, pa, transposeA ? m : k,
                pb, transposeB ? k : n, beta, pc, n);
        }
    }
}

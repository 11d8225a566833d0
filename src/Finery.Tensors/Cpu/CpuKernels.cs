namespace Finery.Tensors;

/// <summary>Vectorised kernels over a persistent pool of threads. One op at a time: a scratch buffer belongs to the op that runs.</summary>
public sealed partial class CpuKernels : Kernels
{
    private readonly WorkerPool _pool;
    private readonly Gemm _gemm;

    /// <summary>Starts the threads.</summary>
    /// <param name="threads">Threads to use, the caller's included; results do not depend on it.</param>
    public CpuKernels(int threads)
    {
        _pool = new(threads);
        _gemm = new(_pool);
    }

    /// <summary>Uses one thread per processor.</summary>
    public CpuKernels() : this(Environment.ProcessorCount)
    {
    }

    /// <summary>Threads in use, the caller's included.</summary>
    public int Threads => _pool.Threads;

    private protected override bool Takes(DType type) => type is DType.F32 or DType.BF16;

    /// <inheritdoc/>
    public override void Dispose()
    {
        _pool.Dispose();
        _gemm.Dispose();
        _squares.Dispose();
        _head.Dispose();
        _headForward.Dispose();
        _headBackward.Dispose();
        _divergence.Dispose();
        _muon.Dispose();
        _normScratch.Dispose();
        _attentionScratch.Dispose();
        base.Dispose();
    }
}

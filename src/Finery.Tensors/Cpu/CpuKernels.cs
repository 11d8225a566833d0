namespace Finery.Tensors;

/// <summary>Vectorised kernels over a persistent pool of threads.</summary>
/// <param name="threads">Threads to use, the caller's included; results do not depend on it.</param>
public sealed partial class CpuKernels(int threads) : Kernels
{
    private readonly WorkerPool _pool = new(threads);

    /// <summary>Uses one thread per processor.</summary>
    public CpuKernels() : this(Environment.ProcessorCount)
    {
    }

    /// <summary>Threads in use, the caller's included.</summary>
    public int Threads => _pool.Threads;

    /// <inheritdoc/>
    public override void Dispose()
    {
        _pool.Dispose();
        base.Dispose();
    }
}

using System.Runtime.CompilerServices;
using Finery.Tensors.Profiling;

namespace Finery.Tensors;

/// <summary>
/// The math of every op, on one kind of device. Each op adds a partial of this class in its folder under <c>Ops/</c>: a public face
/// that checks shapes once, and an abstract core that each backend implements. A backend that misses an op does not compile.
/// </summary>
/// <remarks>
/// Names in ops: N tokens, D model width, H query heads, KV key/value heads, HS head size, F feed-forward width, V vocabulary;
/// <c>d</c> marks a gradient. Results are the same bits for any number of threads and any run.
/// </remarks>
public abstract partial class Kernels : IDisposable
{
    /// <summary>Records every op while set.</summary>
    public OpProfiler? Profiler { get; set; }

    /// <summary>Releases threads and device memory.</summary>
    public virtual void Dispose() => GC.SuppressFinalize(this);

    /// <summary>Opens the profiling scope of an op.</summary>
    /// <param name="tensor">Names the event, usually the weight.</param>
    /// <param name="flops">Floating-point operations.</param>
    /// <param name="bytes">Bytes read and written, each tensor once.</param>
    /// <param name="op">The face.</param>
    private protected OpProfiler.Scope Measure(Tensor tensor, double flops, double bytes, [CallerMemberName] string op = "") =>
        Profiler is { } profiler ? profiler.Op(op, tensor.Name, flops, bytes) : default;

    /// <summary>Fails unless <paramref name="tensor"/> is a <paramref name="rows"/> x <paramref name="columns"/> matrix of <paramref name="type"/>.</summary>
    private protected static void Check(
        Tensor tensor, int rows, int columns, DType type = DType.F32,
        [CallerMemberName] string op = "", [CallerArgumentExpression(nameof(tensor))] string argument = "")
    {
        if (tensor.Rows != rows || tensor.Columns != columns || tensor.Type != type)
            throw new ArgumentException($"{op}: {argument} is {tensor}; expected {type} [{rows}, {columns}].", argument);
    }

    /// <summary>Fails unless <paramref name="tensor"/> has exactly <paramref name="length"/> elements of <paramref name="type"/>.</summary>
    private protected static void CheckLength(
        Tensor tensor, int length, DType type = DType.F32,
        [CallerMemberName] string op = "", [CallerArgumentExpression(nameof(tensor))] string argument = "")
    {
        if (tensor.Length != length || tensor.Type != type)
            throw new ArgumentException($"{op}: {argument} is {tensor}; expected {type} [{length}].", argument);
    }
}

/// <summary>Plain loops in double precision: the definition that every other backend is tested against.</summary>
public sealed partial class ReferenceKernels : Kernels;

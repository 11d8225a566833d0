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

    /// <summary>Bytes of memory that ops keep for themselves, as of now: it grows to the largest op that ran.</summary>
    public virtual long ScratchBytes => 0;

    /// <summary>Releases threads and device memory.</summary>
    public virtual void Dispose() => GC.SuppressFinalize(this);

    /// <summary>Opens a profiling scope around several ops, where a profiler is set.</summary>
    public OpProfiler.Scope Measure(string name) => Profiler is { } profiler ? profiler.Measure(name) : default;

    /// <summary>Opens the profiling scope of an op.</summary>
    /// <param name="tensor">Names the event, usually the weight.</param>
    /// <param name="flops">Floating-point operations.</param>
    /// <param name="bytes">Bytes read and written, each tensor once; of gathered tables the rows that are touched.</param>
    /// <param name="op">The face.</param>
    private protected OpProfiler.Scope Measure(Tensor tensor, double flops, double bytes, [CallerMemberName] string op = "") =>
        Profiler is { } profiler ? profiler.Op(op, tensor.Name, flops, bytes) : default;

    /// <summary>Whether floating-point tensors may be stored as <paramref name="type"/>.</summary>
    private protected virtual bool Takes(DType type) => type == DType.F32;

    /// <summary>Fails unless <paramref name="tensor"/> is a <paramref name="rows"/> x <paramref name="columns"/> matrix of
    /// <paramref name="type"/>; null stands for any type this backend takes.</summary>
    private protected void Check(
        Tensor tensor, int rows, int columns, DType? type = null,
        [CallerMemberName] string op = "", [CallerArgumentExpression(nameof(tensor))] string argument = "")
    {
        if (tensor.Rows != rows || tensor.Columns != columns || !IsOf(tensor.Type, type))
            throw new ArgumentException($"{op}: {argument} is {tensor}; expected {Expected(type)} [{rows}, {columns}].", argument);
    }

    /// <summary>Fails unless <paramref name="tensor"/> has exactly <paramref name="length"/> elements of <paramref name="type"/>;
    /// null stands for any type this backend takes.</summary>
    private protected void CheckLength(
        Tensor tensor, int length, DType? type = null,
        [CallerMemberName] string op = "", [CallerArgumentExpression(nameof(tensor))] string argument = "")
    {
        if (tensor.Length != length || !IsOf(tensor.Type, type))
            throw new ArgumentException($"{op}: {argument} is {tensor}; expected {Expected(type)} [{length}].", argument);
    }

    /// <summary>Fails unless <paramref name="master"/> is what a BF16 weight may keep beside it: its exact F32, its low halves in U16, or
    /// nothing.</summary>
    private protected void CheckMaster(Tensor weight, Tensor? master, [CallerMemberName] string op = "")
    {
        if (master is null) return;
        if (weight.Type != DType.BF16) throw new ArgumentException($"{op}: {weight} has a master; only BF16 takes one.", nameof(master));
        Check(master, weight.Rows, weight.Columns, master.Type == DType.U16 ? DType.U16 : DType.F32, op);
    }

    // F32 asked for by name is what is kept wide beside narrower activations; the reference widens that to F64.
    private bool IsOf(DType actual, DType? type) =>
        actual == type || (type is null && Takes(actual)) || (type == DType.F32 && actual == DType.F64 && Takes(actual));

    private string Expected(DType? type) =>
        type?.ToString() ?? string.Join(" or ", Enum.GetValues<DType>().Where(candidate => Takes(candidate)));
}

/// <summary>Plain loops in double precision: the definition that every other backend is tested against.</summary>
/// <remarks>Takes every floating-point type, mixed as they come: operands are widened exactly and results rounded once.</remarks>
public sealed partial class ReferenceKernels : Kernels
{
    private protected override bool Takes(DType type) => type is DType.F32 or DType.BF16 or DType.F64;
}

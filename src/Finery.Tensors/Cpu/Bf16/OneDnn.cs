using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Finery.Tensors;

/// <summary>
/// Matrix products of oneDNN, where it is installed (Debian: libdnnl2): bound at run time to versions 2 and 3 of its C API, whose handles
/// are the same and whose descriptors differ.
/// </summary>
/// <remarks>One call at a time. A primitive is made once per shape and kept. Results depend on the library's version and on its number of
/// threads, unlike those of <see cref="Gemm"/>: which is why it is used on request alone (<see cref="IsRequested"/>).</remarks>
internal sealed unsafe class OneDnn : IDisposable
{
    /// <summary>Environment variable that asks for oneDNN where it can be used.</summary>
    public const string Variable = "FINERY_ONEDNN";

    // Of dnnl_types.h.
    private const int Success = 0, Unimplemented = 3, Cpu = 1, InOrder = 1, TypeUndefined = 0, TypeBF16 = 2, TypeF32 = 3;
    private const int ArgumentSource = 1, ArgumentDestination = 17, ArgumentWeights = 33;

    // Version 2 has the caller provide its structures; larger than any of its releases needs.
    private const int MemoryDescriptorBytes = 2048, OperationDescriptorBytes = 16384;

    private static readonly string[] Names =
        ["libdnnl.so.3", "libdnnl.so.2", "libdnnl.3.dylib", "libdnnl.2.dylib", "libdnnl.dylib", "dnnl.dll"];

    private readonly nint _library;
    private readonly int _major;
    private readonly Dictionary<Shape, Primitive> _primitives = [];
    private readonly delegate* unmanaged<nint, nint, int, Argument*, int> _execute;
    private readonly delegate* unmanaged<nint, void*, int> _setHandle;
    private readonly delegate* unmanaged<nint, int> _wait;
    private readonly nint _engine;
    private readonly nint _stream;
    private bool _disposed;

    private OneDnn(nint library, Version version)
    {
        (_library, _major, Version) = (library, version.Major, version);
        _execute = (delegate* unmanaged<nint, nint, int, Argument*, int>)Export("dnnl_primitive_execute");
        _setHandle = (delegate* unmanaged<nint, void*, int>)Export("dnnl_memory_set_data_handle");
        _wait = (delegate* unmanaged<nint, int>)Export("dnnl_stream_wait");
        nint engine, stream;
        Check(((delegate* unmanaged<nint*, int, nuint, int>)Export("dnnl_engine_create"))(&engine, Cpu, 0));
        Check(((delegate* unmanaged<nint*, nint, uint, int>)Export("dnnl_stream_create"))(&stream, engine, InOrder));
        (_engine, _stream) = (engine, stream);
    }

    /// <summary>Whether the environment asks for oneDNN; read when kernels are created.</summary>
    public static bool IsRequested => Environment.GetEnvironmentVariable(Variable) == "1";

    /// <summary>Of the library.</summary>
    public Version Version { get; }

    /// <summary>The library, or null and why there is none.</summary>
    public static OneDnn? Load(out string? reason)
    {
        foreach (string name in Names)
        {
            if (!NativeLibrary.TryLoad(name, out nint library)) continue;
            if (ReadVersion(library) is { Major: 2 or 3 } version)
            {
                try
                {
                    reason = null;
                    return new(library, version);
                }
                catch (Exception exception) when (exception is EntryPointNotFoundException or InvalidOperationException)
                {
                    reason = $"{name}: {exception.Message}";
                }
            }
            else
            {
                reason = $"{name} is neither version 2 nor 3 of oneDNN";
            }
            NativeLibrary.Free(library);
            return null;
        }
        reason = "oneDNN is not installed (Debian: libdnnl2)";
        return null;
    }

    /// <summary>Lets the library use so many threads, where it was built with OpenMP.</summary>
    /// <returns>Whether it was.</returns>
    public static bool SetThreads(int threads)
    {
        // The library in the process already: that of Debian is GNU's.
        if (!NativeLibrary.TryLoad("libgomp.so.1", out nint library) || !NativeLibrary.TryGetExport(library, "omp_set_num_threads", out nint set))
            return false;
        ((delegate* unmanaged<int, void>)set)(threads);
        return true;
    }

    /// <summary><c>C = A B</c>, or <c>C += A B</c>; sums in F32.</summary>
    /// <param name="m">Rows of A and C.</param>
    /// <param name="n">Columns of B and C.</param>
    /// <param name="k">Columns of A and rows of B.</param>
    /// <param name="a">[m, k].</param>
    /// <param name="b">[k, n], of the type of <paramref name="a"/>.</param>
    /// <param name="c">[m, n], F32 or BF16, row-major; apart from A and B.</param>
    /// <param name="add">Whether to add to C.</param>
    /// <exception cref="PlatformNotSupportedException">oneDNN does not multiply these types on this processor.</exception>
    public void Multiply(int m, int n, int k, StridedMatrix a, StridedMatrix b, StridedMatrix c, bool add)
    {
        var shape = new Shape(m, n, k, a.Type, b.Type, c.Type, a.RowStride, a.ColumnStride, b.RowStride, b.ColumnStride, c.RowStride, add);
        ref var primitive = ref CollectionsMarshal.GetValueRefOrAddDefault(_primitives, shape, out bool known);
        if (!known)
        {
            try
            {
                primitive = Create(shape);
            }
            catch
            {
                _primitives.Remove(shape);
                throw;
            }
        }
        Check(_setHandle(primitive.Source, a.At(0, 0)));
        Check(_setHandle(primitive.Weights, b.At(0, 0)));
        Check(_setHandle(primitive.Destination, c.At(0, 0)));
        var arguments = stackalloc Argument[3];
        arguments[0] = new() { Index = ArgumentSource, Memory = primitive.Source };
        arguments[1] = new() { Index = ArgumentWeights, Memory = primitive.Weights };
        arguments[2] = new() { Index = ArgumentDestination, Memory = primitive.Destination };
        Check(_execute(primitive.Handle, _stream, 3, arguments));
        Check(_wait(_stream));
    }

    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        foreach (var primitive in _primitives.Values)
        {
            Destroy("dnnl_primitive_destroy", primitive.Handle);
            foreach (nint memory in (ReadOnlySpan<nint>)[primitive.Source, primitive.Weights, primitive.Destination])
                Destroy("dnnl_memory_destroy", memory);
        }
        Destroy("dnnl_stream_destroy", _stream);
        Destroy("dnnl_engine_destroy", _engine);
        // The library stays loaded: its worker threads outlive every call.
    }

    private static Version? ReadVersion(nint library)
    {
        if (!NativeLibrary.TryGetExport(library, "dnnl_version", out nint function)) return null;
        int* version = ((delegate* unmanaged<int*>)function)();
        return new(version[0], version[1], version[2]);
    }

    private Primitive Create(Shape shape)
    {
        void* source = Descriptor(shape.M, shape.K, shape.A, shape.ARow, shape.AColumn);
        void* weights = Descriptor(shape.K, shape.N, shape.B, shape.BRow, shape.BColumn);
        void* destination = Descriptor(shape.M, shape.N, shape.C, shape.CRow, 1);
        nint attributes = shape.Add ? AddAttributes() : 0, description = 0;
        try
        {
            int status = _major >= 3
                ? ((delegate* unmanaged<nint*, nint, void*, void*, void*, void*, nint, int>)Export("dnnl_matmul_primitive_desc_create"))(
                    &description, _engine, source, weights, null, destination, attributes)
                : DescribeMatmul2(&description, source, weights, destination, attributes);
            if (status == Unimplemented)
                throw new PlatformNotSupportedException($"oneDNN {Version} has no product of {shape.A} and {shape.B} to {shape.C} on this processor.");
            Check(status, "dnnl_matmul");
            nint handle;
            Check(((delegate* unmanaged<nint*, nint, int>)Export("dnnl_primitive_create"))(&handle, description));
            return new(handle, Memory(source), Memory(weights), Memory(destination));
        }
        finally
        {
            Destroy("dnnl_primitive_desc_destroy", description);
            Destroy("dnnl_primitive_attr_destroy", attributes);
            foreach (nint descriptor in (ReadOnlySpan<nint>)[(nint)source, (nint)weights, (nint)destination]) FreeDescriptor(descriptor);
        }
    }

    private int DescribeMatmul2(nint* description, void* source, void* weights, void* destination, nint attributes)
    {
        byte* operation = stackalloc byte[OperationDescriptorBytes];
        Check(((delegate* unmanaged<void*, void*, void*, void*, void*, int>)Export("dnnl_matmul_desc_init"))(
            operation, source, weights, null, destination));
        return ((delegate* unmanaged<nint*, void*, nint, nint, nint, int>)Export("dnnl_primitive_desc_create"))(
            description, operation, attributes, _engine, 0);
    }

    /// <summary>A memory descriptor: the library's own in version 3, ours in version 2.</summary>
    private void* Descriptor(long rows, long columns, DType type, long rowStride, long columnStride)
    {
        long* dimensions = stackalloc long[] { rows, columns }, strides = stackalloc long[] { rowStride, columnStride };
        int dataType = type == DType.BF16 ? TypeBF16 : TypeF32;
        if (_major >= 3)
        {
            void* descriptor;
            Check(((delegate* unmanaged<void**, int, long*, int, long*, int>)Export("dnnl_memory_desc_create_with_strides"))(
                &descriptor, 2, dimensions, dataType, strides));
            return descriptor;
        }
        void* owned = NativeMemory.AllocZeroed(MemoryDescriptorBytes);
        Check(((delegate* unmanaged<void*, int, long*, int, long*, int>)Export("dnnl_memory_desc_init_by_strides"))(
            owned, 2, dimensions, dataType, strides));
        return owned;
    }

    private void FreeDescriptor(nint descriptor)
    {
        if (_major >= 3) Destroy("dnnl_memory_desc_destroy", descriptor);
        else NativeMemory.Free((void*)descriptor);
    }

    /// <summary>Attributes that add the product to what the destination holds.</summary>
    private nint AddAttributes()
    {
        nint operations, attributes;
        Check(((delegate* unmanaged<nint*, int>)Export("dnnl_post_ops_create"))(&operations));
        Check(_major >= 3
            ? ((delegate* unmanaged<nint, float, int, int, int>)Export("dnnl_post_ops_append_sum"))(operations, 1, 0, TypeUndefined)
            : ((delegate* unmanaged<nint, float, int>)Export("dnnl_post_ops_append_sum"))(operations, 1));
        Check(((delegate* unmanaged<nint*, int>)Export("dnnl_primitive_attr_create"))(&attributes));
        Check(((delegate* unmanaged<nint, nint, int>)Export("dnnl_primitive_attr_set_post_ops"))(attributes, operations));
        Destroy("dnnl_post_ops_destroy", operations);
        return attributes;
    }

    private nint Memory(void* descriptor)
    {
        nint memory;
        Check(((delegate* unmanaged<nint*, void*, nint, void*, int>)Export("dnnl_memory_create"))(&memory, descriptor, _engine, null));
        return memory;
    }

    private void Destroy(string function, nint handle)
    {
        if (handle != 0) ((delegate* unmanaged<nint, int>)Export(function))(handle);
    }

    private nint Export(string name) => NativeLibrary.GetExport(_library, name);

    private static void Check(int status, [CallerArgumentExpression(nameof(status))] string call = "")
    {
        if (status != Success) throw new InvalidOperationException($"oneDNN: status {status} from {call}.");
    }

    private readonly record struct Shape(
        int M, int N, int K, DType A, DType B, DType C, long ARow, long AColumn, long BRow, long BColumn, long CRow, bool Add);

    private readonly record struct Primitive(nint Handle, nint Source, nint Weights, nint Destination);

    /// <summary>dnnl_exec_arg_t.</summary>
    private struct Argument
    {
        public int Index;
        public nint Memory;
    }
}

using System.Runtime.Intrinsics.X86;

namespace Finery.Tensors;

/// <summary>The assembled bfloat16 micro-kernel of this process. It is offered only where the processor has AVX512-BF16, the
/// operating system keeps its registers, and a small product came out right.</summary>
internal sealed unsafe class Bf16MicroKernel
{
    private static readonly Lazy<Bf16MicroKernel> Instance = new(() => new());

    private readonly ExecutableMemory? _memory;

    private Bf16MicroKernel()
    {
        Reason = !ExecutableMemory.IsSupported ? "assembled kernels run on Linux and Windows on x64 only"
            : !HasInstructions() ? "this processor has no AVX512-BF16 instructions"
            : null;
        if (Reason is not null) return;
        try
        {
            _memory = new(Bf16Assembler.Assemble(OperatingSystem.IsWindows() ? CallingConvention.Windows : CallingConvention.SystemV));
            if (Computes((delegate* unmanaged<uint*, uint*, nint, float*, nint, nint, void>)_memory.Address)) return;
            Reason = "the assembled kernel failed its check";
        }
        catch (InvalidOperationException exception)
        {
            Reason = exception.Message;
        }
        _memory?.Dispose();
        _memory = null;
    }

    /// <summary>Whether <see cref="Run"/> may be used.</summary>
    public static bool IsSupported => UnsupportedReason is null;

    /// <summary>Why the kernel is not to be used; null where it is.</summary>
    public static string? UnsupportedReason => Instance.Value.Reason;

    /// <summary>The kernel: see <see cref="Bf16Assembler"/>.</summary>
    /// <exception cref="PlatformNotSupportedException">There is none; the message says why.</exception>
    public static delegate* unmanaged<uint*, uint*, nint, float*, nint, nint, void> Run => Instance.Value._memory is { } memory
        ? (delegate* unmanaged<uint*, uint*, nint, float*, nint, nint, void>)memory.Address
        : throw new PlatformNotSupportedException($"bf16 products: {UnsupportedReason}.");

    private string? Reason { get; }

    // CPUID leaf 7, subleaf 1, EAX bit 5 (Intel SDM volume 2A). Avx512F.IsSupported includes that the operating system saves the registers.
    private static bool HasInstructions() => Avx512F.IsSupported
        && X86Base.CpuId(0, 0).Eax >= 7 && X86Base.CpuId(7, 0).Eax >= 1 && (X86Base.CpuId(7, 1).Eax & (1 << 5)) != 0;

    /// <summary>Whether <paramref name="kernel"/> multiplies small integers, whose sums are exact, as plain loops do; overwriting and
    /// adding.</summary>
    internal static bool Computes(delegate* unmanaged<uint*, uint*, nint, float*, nint, nint, void> kernel)
    {
        const int Pairs = 5, Stride = Bf16Assembler.Columns + 3;
        uint* a = stackalloc uint[Pairs * Bf16Assembler.Rows], b = stackalloc uint[Pairs * Bf16Assembler.Columns];
        float* c = stackalloc float[Bf16Assembler.Rows * Stride];
        for (int i = 0; i < Pairs * Bf16Assembler.Rows; i++) a[i] = Pair(i * 7 % 23 - 11, i * 5 % 17 - 8);
        for (int i = 0; i < Pairs * Bf16Assembler.Columns; i++) b[i] = Pair(i * 3 % 29 - 14, i * 11 % 19 - 9);
        new Span<float>(c, Bf16Assembler.Rows * Stride).Fill(float.NaN);
        for (int call = 1; call <= 2; call++)
        {
            kernel(a, b, Pairs, c, Stride * sizeof(float), call - 1);
            for (int row = 0; row < Bf16Assembler.Rows; row++)
            {
                for (int column = 0; column < Stride; column++)
                {
                    float expected = column < Bf16Assembler.Columns ? call * Sum(a + row, b + column) : float.NaN;
                    if (!c[row * Stride + column].Equals(expected)) return false;
                }
            }
        }
        return true;

        static uint Pair(int first, int second) => ((BFloat16)(float)first).Bits | ((uint)((BFloat16)(float)second).Bits << 16);

        static float Sum(uint* a, uint* b)
        {
            float sum = 0;
            for (int s = 0; s < Pairs; s++, a += Bf16Assembler.Rows, b += Bf16Assembler.Columns)
            {
                sum += BitConverter.UInt32BitsToSingle(*a << 16) * BitConverter.UInt32BitsToSingle(*b << 16);
                sum += BitConverter.UInt32BitsToSingle(*a & 0xFFFF0000) * BitConverter.UInt32BitsToSingle(*b & 0xFFFF0000);
            }
            return sum;
        }
    }
}

using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Finery.Tensors;

/// <summary>Where a function finds its arguments and which registers it must leave as they were.</summary>
internal enum CallingConvention
{
    /// <summary>System V: Linux. All vector registers are the callee's.</summary>
    SystemV,

    /// <summary>Windows x64: the low halves of registers 6 to 15 are the caller's.</summary>
    Windows,
}

/// <summary>Writes the machine code of the bfloat16 micro-kernel: the JIT has no intrinsic for its one instruction,
/// <c>vdpbf16ps</c>, which adds two products of neighbouring bfloat16 numbers to each float.</summary>
/// <remarks>
/// <c>void kernel(uint* a, uint* b, nint pairs, float* c, nint cRowBytes, nint add)</c>: a step of A is <see cref="Rows"/> pairs, of B
/// <see cref="Columns"/> pairs; a pair is two consecutive elements of the inner dimension in 32 bits, the first in the low half.
/// 28 of the 32 registers accumulate, two hold a step of B, and pairs of A are broadcast by the instruction itself.
/// </remarks>
internal static class Bf16Assembler
{
    /// <summary>Rows of a tile of C.</summary>
    public const int Rows = 14;

    /// <summary>Columns of a tile of C: two registers.</summary>
    public const int Columns = 32;

    private const int PairBytes = 4;
    private const int VectorBytes = 64;

    // Registers 6 to 15, 16 bytes each, and 8 bytes that align the stack to 16 after the return address.
    private const int FirstKept = 6, LastKept = 15, KeptBytes = (LastKept - FirstKept + 1) * 16 + 8;

    // Stack arguments lie above the return address and the 32 bytes that the caller leaves to its callee.
    private const int StackArguments = KeptBytes + 8 + 32;

    /// <summary>The kernel's code; it can run at any address.</summary>
    public static byte[] Assemble(CallingConvention convention)
    {
        var code = new Assembler(64);
        bool windows = convention == CallingConvention.Windows;
        var (a, b, pairs) = windows ? (rcx, rdx, r8) : (rdi, rsi, rdx);
        var (c, cRow, add) = windows ? (r9, r10, r11) : (rcx, r8, r9);
        if (windows)
        {
            code.sub(rsp, KeptBytes);
            for (int i = FirstKept; i <= LastKept; i++) code.vmovups(__xmmword_ptr[rsp + (i - FirstKept) * 16], Xmm(i));
            code.mov(cRow, __qword_ptr[rsp + StackArguments]);
            code.mov(add, __qword_ptr[rsp + StackArguments + 8]);
        }

        WriteProducts(code, a, b, pairs);
        WriteTile(code, c, cRow, add);

        if (windows)
        {
            for (int i = FirstKept; i <= LastKept; i++) code.vmovups(Xmm(i), __xmmword_ptr[rsp + (i - FirstKept) * 16]);
            code.add(rsp, KeptBytes);
        }
        code.vzeroupper();
        code.ret();
        using var stream = new MemoryStream();
        code.Assemble(new StreamCodeWriter(stream), rip: 0);
        return stream.ToArray();
    }

    private static void WriteProducts(Assembler code, AssemblerRegister64 a, AssemblerRegister64 b, AssemblerRegister64 pairs)
    {
        for (int row = 0; row < Rows; row++)
        {
            code.vpxord(Sum(row, 0), Sum(row, 0), Sum(row, 0));
            code.vpxord(Sum(row, 1), Sum(row, 1), Sum(row, 1));
        }
        var (step, done) = (code.CreateLabel(), code.CreateLabel());
        code.test(pairs, pairs);
        code.je(done);
        code.Label(ref step);
        code.vmovups(zmm28, __zmmword_ptr[b]);
        code.vmovups(zmm29, __zmmword_ptr[b + VectorBytes]);
        for (int row = 0; row < Rows; row++)
        {
            code.vdpbf16ps(Sum(row, 0), zmm28, __dword_bcst[a + row * PairBytes]);
            code.vdpbf16ps(Sum(row, 1), zmm29, __dword_bcst[a + row * PairBytes]);
        }
        code.add(a, Rows * PairBytes);
        code.add(b, Columns * PairBytes);
        code.dec(pairs);
        code.jne(step);
        code.Label(ref done);
    }

    private static void WriteTile(Assembler code, AssemblerRegister64 c, AssemblerRegister64 cRow, AssemblerRegister64 add)
    {
        var (store, end) = (code.CreateLabel(), code.CreateLabel());
        code.test(add, add);
        code.je(store);
        for (int row = 0; row < Rows; row++)
        {
            code.vaddps(zmm28, Sum(row, 0), __zmmword_ptr[c]);
            code.vaddps(zmm29, Sum(row, 1), __zmmword_ptr[c + VectorBytes]);
            code.vmovups(__zmmword_ptr[c], zmm28);
            code.vmovups(__zmmword_ptr[c + VectorBytes], zmm29);
            if (row < Rows - 1) code.add(c, cRow);
        }
        code.jmp(end);
        code.Label(ref store);
        for (int row = 0; row < Rows; row++)
        {
            code.vmovups(__zmmword_ptr[c], Sum(row, 0));
            code.vmovups(__zmmword_ptr[c + VectorBytes], Sum(row, 1));
            if (row < Rows - 1) code.add(c, cRow);
        }
        code.Label(ref end);
    }

    private static AssemblerRegisterZMM Sum(int row, int half) => new(Register.ZMM0 + row * 2 + half);

    private static AssemblerRegisterXMM Xmm(int index) => new(Register.XMM0 + index);
}

using System.Runtime.InteropServices;
using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Tensors.Cpu.Bf16;

/// <summary>Blocking and packing around the micro-kernel, on a plain one everywhere and on the assembled one where it is supported.</summary>
public unsafe class Bf16GemmTests : OpTest
{
    private static readonly int[] Threads = [1, 2, 3];

    // Rows, columns, steps: whole tiles, ragged ones, one step, odd steps, several blocks, few rows.
    public static TheoryData<int, int, int> Shapes => new()
    {
        { 14, 32, 8 }, { 28, 64, 16 }, { 1, 1, 1 }, { 15, 33, 3 }, { 13, 31, 385 }, { 43, 70, 801 }, { 5, 100, 50 }, { 210, 40, 96 },
    };

    [Theory, MemberData(nameof(Shapes))]
    public void Products_match_plain_sums_with_the_same_bits_on_any_threads(int m, int n, int k) => Check(m, n, k, &Plain);

    [Theory, MemberData(nameof(Shapes))]
    public void The_assembled_kernel_matches_plain_sums(int m, int n, int k)
    {
        Assert.SkipUnless(Bf16Gemm.IsSupported, Bf16MicroKernel.UnsupportedReason ?? "");
        Check(m, n, k, Bf16MicroKernel.Run);
    }

    [Fact]
    public void A_row_has_the_same_bits_whatever_the_other_rows()
    {
        var (x, weight) = (Normal(1, 40, 500), Normal(2, 70, 500));
        var (one, all) = (Poisoned(1, 70), Poisoned(40, 70));
        using var pool = new WorkerPool(2);
        using var gemm = new Bf16Gemm(pool, &Plain);
        var b = Operand(weight).Transposed;
        gemm.Multiply(1, 70, 500, Operand(x.Slice(17, 1)), b, Operand(one), add: false);
        gemm.Multiply(40, 70, 500, Operand(x), b, Operand(all), add: false);
        AssertSameBits(one, all.Slice(17, 1));
    }

    [Theory]
    [InlineData(1, 33, 801)]
    [InlineData(15, 5, 7)]
    [InlineData(215, 530, 500)]
    public void Results_in_bfloat16_are_the_sums_rounded_once(int m, int n, int k)
    {
        var (x, weight, sums, before) = (Normal(1, m, k), Normal(2, n, k), Zeros(m, n), Typed(Normal(3, m, n + 1), DType.BF16));
        foreach (int threads in Threads)
        {
            using var pool = new WorkerPool(threads);
            using var gemm = new Bf16Gemm(pool, &Plain);
            var (overwritten, added) = (Copy(before), Copy(before));
            gemm.Multiply(m, n, k, Operand(x), Operand(weight).Transposed, Operand(sums), add: false);
            gemm.Multiply(m, n, k, Operand(x), Operand(weight).Transposed, Operand(overwritten), add: false);
            gemm.Multiply(m, n, k, Operand(x), Operand(weight).Transposed, Operand(added), add: true);
            for (int i = 0; i < m; i++)
            {
                for (int j = 0; j <= n; j++)
                {
                    float was = (float)before[i * (n + 1) + j], sum = j < n ? sums.Floats[i * n + j] : 0;
                    Assert.Equal(j < n ? (float)(BFloat16)sum : was, (float)overwritten[i * (n + 1) + j]);
                    Assert.Equal((float)(BFloat16)(was + sum), (float)added[i * (n + 1) + j]);
                }
            }
        }
    }

    [Theory]
    [InlineData(1, 33, 801)]
    [InlineData(29, 65, 800)]
    public void An_addend_is_added_to_the_first_block(int m, int n, int k)
    {
        var (x, weight, addend) = (Normal(1, m, k), Normal(2, n, k), Normal(3, m, n));
        var (expected, wide, narrow) = (Copy(addend), Poisoned(m, n), Typed(Poisoned(m, n), DType.BF16));
        using var pool = new WorkerPool(2);
        using var gemm = new Bf16Gemm(pool, &Plain);
        gemm.Multiply(m, n, k, Operand(x), Operand(weight).Transposed, Operand(expected), add: true);
        gemm.Multiply(m, n, k, Operand(x), Operand(weight).Transposed, Operand(wide), add: false, addend.FloatPointer);
        gemm.Multiply(m, n, k, Operand(x), Operand(weight).Transposed, Operand(narrow), add: false, addend.FloatPointer);
        AssertSameBits(expected, wide);
        // Sums that are rounded meet the addend whole, not block by block.
        for (int i = 0; i < m * n; i++) Assert.Equal(expected[i], narrow[i], Math.Max(1e-2, Math.Abs(expected[i]) / 128));
    }

    [Fact]
    public void An_empty_inner_dimension_gives_zero()
    {
        var c = Poisoned(3, 5);
        using var pool = new WorkerPool(1);
        using var gemm = new Bf16Gemm(pool, &Plain);
        gemm.Multiply(3, 5, 0, Operand(c), Operand(c), Operand(c), add: false);
        Assert.All(c.Floats.ToArray(), value => Assert.Equal(0, value));
    }

    [Fact]
    public void Allocates_nothing()
    {
        var (x, weight, y) = (Normal(1, 40, 100), Normal(2, 70, 100), Zeros(40, 70));
        using var pool = new WorkerPool(2);
        using var gemm = new Bf16Gemm(pool, &Plain);
        AssertAllocatesNothing(() => gemm.Multiply(40, 70, 100, Operand(x), Operand(weight).Transposed, Operand(y), add: true));
    }

    [Fact]
    public void The_check_at_start_up_tells_right_from_wrong_kernels()
    {
        Assert.True(Bf16MicroKernel.Computes(&Plain));
        Assert.False(Bf16MicroKernel.Computes(&AlwaysOverwriting));
        Assert.False(Bf16MicroKernel.Computes(&PackedTogether));
    }

    [Fact]
    public void Without_the_instructions_the_kernel_is_refused_with_the_reason()
    {
        Assert.SkipWhen(Bf16Gemm.IsSupported, "this processor has the instructions");
        Assert.NotEmpty(Bf16MicroKernel.UnsupportedReason!);
        using var pool = new WorkerPool(1);
        var error = Assert.Throws<PlatformNotSupportedException>(() => new Bf16Gemm(pool));
        Assert.Contains(Bf16MicroKernel.UnsupportedReason!, error.Message, StringComparison.Ordinal);
    }

    private void Check(int m, int n, int k, delegate* unmanaged<uint*, uint*, nint, float*, nint, nint, void> kernel)
    {
        foreach (var (typeA, typeB) in ((DType, DType)[])[(DType.F32, DType.F32), (DType.BF16, DType.BF16), (DType.BF16, DType.F32)])
        {
            foreach (bool transposeA in (bool[])[false, true])
            {
                foreach (bool transposeB in (bool[])[false, true])
                {
                    var a = Typed(transposeA ? Normal(1, k, m) : Normal(1, m, k), typeA);
                    var b = Typed(transposeB ? Normal(2, n, k) : Normal(2, k, n), typeB);
                    Check(m, n, k, a, transposeA, b, transposeB, kernel);
                }
            }
        }
    }

    private void Check(
        int m, int n, int k, Tensor a, bool transposeA, Tensor b, bool transposeB,
        delegate* unmanaged<uint*, uint*, nint, float*, nint, nint, void> kernel)
    {
        int stride = n + 3;
        var before = Normal(3, m, stride);
        Tensor? first = null;
        foreach (int threads in Threads)
        {
            using var pool = new WorkerPool(threads);
            using var gemm = new Bf16Gemm(pool, kernel);
            var (left, right) = (Operand(a), Operand(b));
            if (transposeA) left = left.Transposed;
            if (transposeB) right = right.Transposed;
            var (overwritten, added) = (Copy(before), Copy(before));
            gemm.Multiply(m, n, k, left, right, Operand(overwritten), add: false);
            gemm.Multiply(m, n, k, left, right, Operand(added), add: true);
            first ??= overwritten;
            AssertSameBits(first, overwritten);
            for (int i = 0; i < m; i++)
            {
                for (int j = 0; j < stride; j++)
                {
                    int at = i * stride + j;
                    double sum = j < n ? 0 : before.Floats[at], size = 0;
                    for (int s = 0; s < k && j < n && threads == 1; s++)
                    {
                        double product = (double)At(a, transposeA ? s : i, transposeA ? i : s) * At(b, transposeB ? j : s, transposeB ? s : j);
                        (sum, size) = (sum + product, size + Math.Abs(product));
                    }
                    if (threads > 1) continue;
                    Assert.True(Math.Abs(overwritten.Floats[at] - sum) <= 2e-6 * size, $"[{i}, {j}] is {overwritten.Floats[at]}, expected {sum}");
                    double addedTo = j < n ? overwritten.Floats[at] + (double)before.Floats[at] : before.Floats[at];
                    Assert.True(Math.Abs(added.Floats[at] - addedTo) <= 2e-6 * (size + Math.Abs(before.Floats[at])), $"[{i}, {j}] added");
                }
            }
        }
    }

    private static StridedMatrix Operand(Tensor tensor) =>
        new(tensor.Pointer, tensor.Type, tensor.Columns, 1);

    private static float At(Tensor tensor, int row, int column)
    {
        int at = row * tensor.Columns + column;
        return (float)(tensor.Type == DType.BF16 ? MemoryMarshal.Cast<byte, BFloat16>(tensor.Bytes)[at] : (BFloat16)tensor.Floats[at]);
    }

    private Tensor Typed(Tensor tensor, DType type)
    {
        if (type == DType.F32) return tensor;
        var typed = Arena.Allocate(tensor.Name, type, tensor.Shape);
        var values = MemoryMarshal.Cast<byte, BFloat16>(typed.Bytes);
        for (int i = 0; i < values.Length; i++) values[i] = (BFloat16)tensor.Floats[i];
        return typed;
    }

    [UnmanagedCallersOnly]
    private static void Plain(uint* a, uint* b, nint pairs, float* c, nint cRowBytes, nint add) => Tile(a, b, pairs, c, cRowBytes, add != 0);

    [UnmanagedCallersOnly]
    private static void AlwaysOverwriting(uint* a, uint* b, nint pairs, float* c, nint cRowBytes, nint add) =>
        Tile(a, b, pairs, c, cRowBytes, adds: false);

    [UnmanagedCallersOnly]
    private static void PackedTogether(uint* a, uint* b, nint pairs, float* c, nint cRowBytes, nint add) =>
        Tile(a, b, pairs, c, Bf16Assembler.Columns * sizeof(float), add != 0);

    private static void Tile(uint* a, uint* b, nint pairs, float* c, nint cRowBytes, bool adds)
    {
        for (int i = 0; i < Bf16Assembler.Rows; i++)
        {
            float* row = (float*)((byte*)c + i * cRowBytes);
            for (int j = 0; j < Bf16Assembler.Columns; j++)
            {
                uint sum = 0;
                for (nint p = 0; p < pairs; p++)
                    sum = KernelEmulator.Dot(b[p * Bf16Assembler.Columns + j], a[p * Bf16Assembler.Rows + i], sum);
                row[j] = BitConverter.UInt32BitsToSingle(sum) + (adds ? row[j] : 0);
            }
        }
    }
}

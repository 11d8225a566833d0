using System.Runtime.InteropServices;
using Finery.Tensors;
using Iced.Intel;
using Xunit;
using CallingConvention = Finery.Tensors.CallingConvention;

namespace Finery.Tests.Tensors.Cpu.Bf16;

public class Bf16AssemblerTests
{
    private const int Rows = Bf16Assembler.Rows, Columns = Bf16Assembler.Columns;

    public static TheoryData<bool, int, int, bool> Calls
    {
        get
        {
            var data = new TheoryData<bool, int, int, bool>();
            foreach (bool windows in (bool[])[false, true])
            {
                foreach (int pairs in (int[])[0, 1, 2, 7])
                {
                    foreach (int stride in (int[])[Columns, Columns + 5, 3 * Columns])
                    {
                        data.Add(windows, pairs, stride, false);
                        data.Add(windows, pairs, stride, true);
                    }
                }
            }
            return data;
        }
    }

    [Theory, MemberData(nameof(Calls))]
    public void Code_computes_a_tile_and_touches_nothing_else(bool windows, int pairs, int stride, bool add)
    {
        var emulator = new KernelEmulator(Assemble(windows));
        uint[] a = Pairs(1, pairs * Rows), b = Pairs(2, pairs * Columns);
        float[] before = [.. Enumerable.Range(0, (Rows - 1) * stride + Columns).Select(i => i * .37f - 90)];
        byte[] c = Bytes<float>(before);
        emulator.Call(windows, emulator.Map(Bytes<uint>(a)), emulator.Map(Bytes<uint>(b)), (ulong)pairs,
            emulator.Map(c), (ulong)stride * sizeof(float), add ? 1u : 0);

        var after = MemoryMarshal.Cast<byte, float>(c);
        for (int i = 0; i < before.Length; i++)
        {
            float expected = before[i];
            if (i % stride < Columns)
            {
                uint sum = 0;
                double exact = 0, size = 0;
                for (int p = 0; p < pairs; p++)
                {
                    uint left = a[p * Rows + i / stride], right = b[p * Columns + i % stride];
                    sum = KernelEmulator.Dot(right, left, sum);
                    exact += Low(left) * Low(right) + High(left) * High(right);
                    size += Math.Abs(Low(left) * Low(right)) + Math.Abs(High(left) * High(right));
                }
                expected = BitConverter.UInt32BitsToSingle(sum) + (add ? before[i] : 0);
                Assert.True(Math.Abs(BitConverter.UInt32BitsToSingle(sum) - exact) <= 1e-6 * size);
            }
            Assert.Equal(expected, after[i]);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Code_leaves_the_registers_of_its_caller(bool windows)
    {
        var emulator = new KernelEmulator(Assemble(windows));
        emulator.Call(windows, emulator.Map(new byte[3 * Rows * 4]), emulator.Map(new byte[3 * Columns * 4]), 3,
            emulator.Map(new byte[Rows * Columns * 4]), Columns * sizeof(float), 1);
        Register[] kept = [Register.RBX, Register.RBP, Register.R12, Register.R13, Register.R14, Register.R15];
        foreach (var register in windows ? [.. kept, Register.RDI, Register.RSI] : kept)
            Assert.Equal(KernelEmulator.Sentinel(register), emulator.General(register));
        for (int i = 6; i <= 15 && windows; i++)
        {
            for (int lane = 0; lane < 4; lane++) Assert.Equal(0xABCD0000u + (uint)i, emulator.Vector(i)[lane]);
        }
        Assert.True(emulator.ClearedUpper);
    }

    [Fact]
    public void The_loop_over_steps_spends_its_instructions_on_products()
    {
        var decoder = Decoder.Create(64, Assemble(windows: false));
        var instructions = new List<Instruction>();
        while (decoder.IP < (ulong)Assemble(windows: false).Length) instructions.Add(decoder.Decode());
        var jump = instructions.Single(instruction => instruction.Mnemonic == Mnemonic.Jne);
        var loop = instructions.Where(
            instruction => instruction.IP >= jump.NearBranchTarget && instruction.IP <= jump.IP).ToArray();
        Assert.Equal(2 * Rows, loop.Count(instruction => instruction.Mnemonic == Mnemonic.Vdpbf16ps));
        Assert.Equal(2 * Rows + 6, loop.Length);
        Assert.All(loop.Where(instruction => instruction.Mnemonic == Mnemonic.Vdpbf16ps), instruction => Assert.True(instruction.IsBroadcast));
    }

    [Fact]
    public void Products_of_denormals_are_flushed_to_zero()
    {
        Assert.Equal(0u, KernelEmulator.Dot(0x0001_0001, 0x7F00_7F00, 0));
        Assert.Equal(0x3F80_0000u, KernelEmulator.Dot(0x0080_0080, 0x0080_0080, 0x3F80_0000));
        Assert.Equal(0u, KernelEmulator.Dot(0, 0, 1));
    }

    private static byte[] Assemble(bool windows) =>
        Bf16Assembler.Assemble(windows ? CallingConvention.Windows : CallingConvention.SystemV);

    private static uint[] Pairs(int seed, int count)
    {
        var random = new Random(seed);
        uint Next() => ((BFloat16)(float)(random.NextDouble() * 2 - 1)).Bits;
        return [.. Enumerable.Range(0, count).Select(_ => Next() | (Next() << 16))];
    }

    private static double Low(uint pair) => BitConverter.UInt32BitsToSingle(pair << 16);

    private static double High(uint pair) => BitConverter.UInt32BitsToSingle(pair & 0xFFFF0000);

    private static byte[] Bytes<T>(T[] values) where T : struct => MemoryMarshal.AsBytes(values.AsSpan()).ToArray();
}

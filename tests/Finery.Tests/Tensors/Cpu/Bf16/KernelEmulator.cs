using System.Buffers.Binary;
using Iced.Intel;
using Xunit;

namespace Finery.Tests.Tensors.Cpu.Bf16;

/// <summary>An x64 processor with AVX512-BF16 for those without one: runs exactly the instructions of the assembled kernel over
/// memory of which every byte that may be touched is declared.</summary>
internal sealed class KernelEmulator
{
    private const ulong CodeAddress = 0x7000_0000, StackTop = 0x6000_0000, ReturnAddress = 0x1234_5678_9ABC;
    private const int StackBytes = 512, HomeBytes = 32;

    private readonly List<(ulong Start, byte[] Bytes)> _regions = [];
    private readonly Dictionary<Register, ulong> _general = [];
    private readonly uint[][] _vectors = new uint[32][];
    private readonly byte[] _code;
    private bool _zero;
    private ulong _nextRegion = 0x1_0000_0000;

    public KernelEmulator(byte[] code)
    {
        _code = code;
        for (int i = 0; i < 32; i++)
        {
            _vectors[i] = new uint[16];
            _vectors[i].AsSpan().Fill(0xABCD0000u + (uint)i);
        }
        for (var register = Register.RAX; register <= Register.R15; register++) _general[register] = Sentinel(register);
    }

    /// <summary>Whether the upper halves were cleared, as legacy SSE code of the caller wants them.</summary>
    public bool ClearedUpper { get; private set; }

    /// <summary>What a general register holds before the call.</summary>
    public static ulong Sentinel(Register register) => 0xFEED_0000_0000_0000 + (ulong)register;

    public ulong General(Register register) => _general[register];

    public uint[] Vector(int index) => _vectors[index];

    /// <summary>Declares memory; nothing else around it may be touched.</summary>
    public ulong Map(byte[] bytes)
    {
        // Addresses aligned to 4 but to nothing wider, with a gap between regions.
        ulong start = _nextRegion + 4;
        _regions.Add((start, bytes));
        _nextRegion = (start + (ulong)bytes.Length + 0xFFFF) & ~0xFFFFul;
        return start;
    }

    /// <summary>Calls the code with integer arguments by the System V convention, or by that of Windows.</summary>
    public void Call(bool windows, params ulong[] arguments)
    {
        Register[] registers = windows
            ? [Register.RCX, Register.RDX, Register.R8, Register.R9]
            : [Register.RDI, Register.RSI, Register.RDX, Register.RCX, Register.R8, Register.R9];
        // The stack below holds what the callee may use, above its return address what it may only read.
        byte[] stack = new byte[StackBytes + 8 + HomeBytes + 16];
        ulong bottom = StackTop - StackBytes;
        _regions.Add((bottom, stack));
        _general[Register.RSP] = StackTop;
        Write64(StackTop, ReturnAddress);
        for (int i = 0; i < arguments.Length; i++)
        {
            if (i < registers.Length) _general[registers[i]] = arguments[i];
            else Write64(StackTop + 8 + HomeBytes + (ulong)(i - registers.Length) * 8, arguments[i]);
        }
        byte[] caller = stack[StackBytes..];
        Run();
        Assert.Equal(StackTop + 8, _general[Register.RSP]);
        Assert.Equal(caller, stack[StackBytes..]);
    }

    private void Run()
    {
        ulong ip = CodeAddress;
        for (int executed = 0; ip != ReturnAddress; executed++)
        {
            Assert.True(executed < 100_000, "the code does not end");
            Assert.InRange(ip, CodeAddress, CodeAddress + (ulong)_code.Length - 1);
            var decoder = Decoder.Create(64, new ByteArrayCodeReader(_code, (int)(ip - CodeAddress), _code.Length - (int)(ip - CodeAddress)));
            decoder.IP = ip;
            decoder.Decode(out var instruction);
            ip = instruction.NextIP;
            Execute(instruction, ref ip);
        }
    }

    private void Execute(in Instruction instruction, ref ulong ip)
    {
        Assert.False(instruction.HasOpMask, $"{instruction} is masked");
        switch (instruction.Mnemonic)
        {
            case Mnemonic.Vpxord:
                Vectors(instruction, (a, b, _) => a ^ b);
                break;
            case Mnemonic.Vaddps:
                Vectors(instruction, (a, b, _) => BitConverter.SingleToUInt32Bits(
                    BitConverter.UInt32BitsToSingle(a) + BitConverter.UInt32BitsToSingle(b)));
                break;
            case Mnemonic.Vdpbf16ps:
                Vectors(instruction, (a, b, sum) => Dot(a, b, sum));
                break;
            case Mnemonic.Vmovups:
                Move(instruction);
                break;
            case Mnemonic.Vzeroupper:
                for (int i = 0; i < 16; i++) _vectors[i].AsSpan(4).Clear();
                ClearedUpper = true;
                break;
            case Mnemonic.Mov:
                _general[instruction.Op0Register] = Read64(Address(instruction));
                break;
            case Mnemonic.Test:
                _zero = (_general[instruction.Op0Register] & _general[instruction.Op1Register]) == 0;
                break;
            case Mnemonic.Add:
                Set(instruction.Op0Register, _general[instruction.Op0Register] + Second(instruction));
                break;
            case Mnemonic.Sub:
                Set(instruction.Op0Register, _general[instruction.Op0Register] - Second(instruction));
                break;
            case Mnemonic.Dec:
                Set(instruction.Op0Register, _general[instruction.Op0Register] - 1);
                break;
            case Mnemonic.Je:
                if (_zero) ip = instruction.NearBranchTarget;
                break;
            case Mnemonic.Jne:
                if (!_zero) ip = instruction.NearBranchTarget;
                break;
            case Mnemonic.Jmp:
                ip = instruction.NearBranchTarget;
                break;
            case Mnemonic.Ret:
                ip = Read64(_general[Register.RSP]);
                _general[Register.RSP] += 8;
                break;
            default:
                Assert.Fail($"{instruction} is not an instruction of the kernel");
                break;
        }
    }

    /// <summary>VDPBF16PS of the Intel SDM: two fused multiply-adds, the upper product first; denormals are zero before and after, to
    /// nearest even.</summary>
    internal static uint Dot(uint a, uint b, uint sum)
    {
        float total = Flush(BitConverter.UInt32BitsToSingle(sum));
        total = Flush(MathF.FusedMultiplyAdd(Upper(a), Upper(b), total));
        total = Flush(MathF.FusedMultiplyAdd(Upper(a << 16), Upper(b << 16), total));
        return BitConverter.SingleToUInt32Bits(total);

        static float Upper(uint bits) => Flush(BitConverter.UInt32BitsToSingle(bits & 0xFFFF0000));

        static float Flush(float value) => float.IsSubnormal(value) ? MathF.CopySign(0, value) : value;
    }

    private void Vectors(in Instruction instruction, Func<uint, uint, uint, uint> lane)
    {
        Assert.True(instruction.Op0Register.IsZMM() && instruction.Op1Register.IsZMM(), $"{instruction} is not 512 bits wide");
        var (destination, left) = (_vectors[instruction.Op0Register.GetNumber()], _vectors[instruction.Op1Register.GetNumber()]);
        uint[] right = new uint[16];
        if (instruction.Op2Kind == OpKind.Register) _vectors[instruction.Op2Register.GetNumber()].CopyTo(right, 0);
        else if (instruction.IsBroadcast) right.AsSpan().Fill(Read32(Address(instruction)));
        else Load(Address(instruction), right);
        for (int i = 0; i < 16; i++) destination[i] = lane(left[i], right[i], destination[i]);
        ClearedUpper = false;
    }

    private void Move(in Instruction instruction)
    {
        bool stores = instruction.Op0Kind == OpKind.Memory;
        var register = stores ? instruction.Op1Register : instruction.Op0Register;
        Assert.True(register.IsZMM() || register.IsXMM());
        var vector = _vectors[register.GetNumber()];
        int lanes = register.IsZMM() ? 16 : 4;
        ulong address = Address(instruction);
        if (!stores)
        {
            Load(address, vector.AsSpan(0, lanes));
            vector.AsSpan(lanes).Clear();
            if (lanes == 16) ClearedUpper = false;
            return;
        }
        var memory = Memory(address, lanes * 4);
        for (int i = 0; i < lanes; i++) BinaryPrimitives.WriteUInt32LittleEndian(memory[(i * 4)..], vector[i]);
    }

    private void Load(ulong address, Span<uint> lanes)
    {
        var memory = Memory(address, lanes.Length * 4);
        for (int i = 0; i < lanes.Length; i++) lanes[i] = BinaryPrimitives.ReadUInt32LittleEndian(memory[(i * 4)..]);
    }

    private void Set(Register register, ulong value)
    {
        _general[register] = value;
        _zero = value == 0;
    }

    private ulong Second(in Instruction instruction) => instruction.Op1Kind == OpKind.Register
        ? _general[instruction.Op1Register]
        : (ulong)(long)instruction.GetImmediate(1);

    private ulong Address(in Instruction instruction)
    {
        Assert.Equal(Register.None, instruction.MemoryIndex);
        return _general[instruction.MemoryBase] + instruction.MemoryDisplacement64;
    }

    private uint Read32(ulong address) => BinaryPrimitives.ReadUInt32LittleEndian(Memory(address, 4));

    private ulong Read64(ulong address) => BinaryPrimitives.ReadUInt64LittleEndian(Memory(address, 8));

    private void Write64(ulong address, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(Memory(address, 8), value);

    private Span<byte> Memory(ulong address, int length)
    {
        foreach (var (start, bytes) in _regions)
        {
            if (address >= start && address + (ulong)length <= start + (ulong)bytes.Length)
                return bytes.AsSpan((int)(address - start), length);
        }
        throw new InvalidOperationException($"The code reaches {length} bytes at {address:X}, outside every buffer.");
    }
}

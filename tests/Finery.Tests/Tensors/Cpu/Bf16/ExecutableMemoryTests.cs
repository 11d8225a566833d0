using System.Globalization;
using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Tensors.Cpu.Bf16;

public unsafe class ExecutableMemoryTests
{
    // lea eax, [first argument + second argument]; ret
    private static readonly byte[] Sum = OperatingSystem.IsWindows() ? [0x8D, 0x04, 0x11, 0xC3] : [0x8D, 0x04, 0x37, 0xC3];

    [Fact]
    public void Code_runs()
    {
        Assert.SkipUnless(ExecutableMemory.IsSupported, "assembled code runs on Linux and Windows on x64 only");
        using var memory = new ExecutableMemory(Sum);
        Assert.Equal(42, ((delegate* unmanaged<int, int, int>)memory.Address)(19, 23));
    }

    [Fact]
    public void Pages_are_never_writable_and_executable()
    {
        Assert.SkipUnless(ExecutableMemory.IsSupported && OperatingSystem.IsLinux(), "page protections are read from Linux's /proc");
        var memory = new ExecutableMemory(Sum);
        ulong address = (ulong)memory.Address;
        Assert.Equal("r-xp", Protection(address));
        memory.Dispose();
        memory.Dispose();
        Assert.True(memory.Address == null);
        Assert.NotEqual("r-xp", Protection(address));
    }

    [Fact]
    public void Other_platforms_are_refused()
    {
        Assert.SkipWhen(ExecutableMemory.IsSupported, "this platform is supported");
        Assert.Throws<PlatformNotSupportedException>(() => new ExecutableMemory(Sum));
    }

    private static string Protection(ulong address)
    {
        foreach (string line in File.ReadLines("/proc/self/maps"))
        {
            string[] fields = line.Split(' ', '-');
            ulong start = ulong.Parse(fields[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            ulong end = ulong.Parse(fields[1], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            if (address >= start && address < end) return line.Split(' ')[1];
        }
        return "";
    }
}

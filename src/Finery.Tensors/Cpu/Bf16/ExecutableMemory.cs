using System.Runtime.InteropServices;

namespace Finery.Tensors;

/// <summary>Machine code in pages of its own. It is written while the pages are writable, and run when they no longer are: they are never
/// both at once.</summary>
internal sealed unsafe partial class ExecutableMemory : IDisposable
{
    // From mman.h of Linux and memoryapi.h of Windows.
    private const int ProtectRead = 1, ProtectWrite = 2, ProtectExecute = 4, MapPrivate = 2, MapAnonymousLinux = 0x20;
    private const uint MemoryCommitAndReserve = 0x3000, MemoryRelease = 0x8000, PageReadWrite = 0x04, PageExecuteRead = 0x20;

    private readonly nuint _length;
    private void* _address;

    /// <summary>Copies <paramref name="code"/> to executable pages.</summary>
    /// <exception cref="PlatformNotSupportedException">Neither Linux nor Windows, or not x64.</exception>
    /// <exception cref="InvalidOperationException">The operating system refuses memory, or refuses to make it executable.</exception>
    public ExecutableMemory(ReadOnlySpan<byte> code)
    {
        if (!IsSupported) throw new PlatformNotSupportedException($"ExecutableMemory: {RuntimeInformation.RuntimeIdentifier} is not supported.");
        _length = (nuint)((code.Length + Environment.SystemPageSize - 1) / Environment.SystemPageSize * Environment.SystemPageSize);
        void* address = Reserve(_length);
        code.CopyTo(new(address, code.Length));
        _address = address;
        if (!MakeExecutable())
        {
            int error = Marshal.GetLastPInvokeError();
            Dispose();
            throw new InvalidOperationException($"ExecutableMemory: the operating system refuses executable pages (error {error}).");
        }
    }

    ~ExecutableMemory() => Dispose();

    /// <summary>Whether this platform's calls are known here.</summary>
    public static bool IsSupported =>
        (OperatingSystem.IsLinux() || OperatingSystem.IsWindows()) && RuntimeInformation.ProcessArchitecture == Architecture.X64;

    /// <summary>Where the code begins.</summary>
    public void* Address => _address;

    public void Dispose()
    {
        void* address = _address;
        _address = null;
        if (address == null) return;
        if (OperatingSystem.IsWindows()) VirtualFree(address, 0, MemoryRelease);
        else Unmap(address, _length);
        GC.SuppressFinalize(this);
    }

    private static void* Reserve(nuint length)
    {
        void* address = OperatingSystem.IsWindows()
            ? VirtualAlloc(null, length, MemoryCommitAndReserve, PageReadWrite)
            : Map(null, length, ProtectRead | ProtectWrite, MapPrivate | MapAnonymousLinux, -1, 0);
        // mmap returns -1 on failure.
        return address != null && address != (void*)-1
            ? address
            : throw new InvalidOperationException($"ExecutableMemory: no {length} bytes (error {Marshal.GetLastPInvokeError()}).");
    }

    private bool MakeExecutable() => OperatingSystem.IsWindows()
        ? VirtualProtect(_address, _length, PageExecuteRead, out _) != 0
        : Protect(_address, _length, ProtectRead | ProtectExecute) == 0;

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial void* Map(void* address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect", SetLastError = true)]
    private static partial int Protect(void* address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    private static partial int Unmap(void* address, nuint length);

    [LibraryImport("kernel32", SetLastError = true)]
    private static partial void* VirtualAlloc(void* address, nuint length, uint type, uint protection);

    [LibraryImport("kernel32", SetLastError = true)]
    private static partial int VirtualProtect(void* address, nuint length, uint protection, out uint before);

    [LibraryImport("kernel32", SetLastError = true)]
    private static partial int VirtualFree(void* address, nuint length, uint type);
}

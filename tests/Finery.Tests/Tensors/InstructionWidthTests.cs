using System.Diagnostics;
using System.Runtime.Intrinsics;
using Xunit;

namespace Finery.Tests.Tensors;

/// <summary>Runs the tests of ops again in child processes that may use narrower instructions only.</summary>
public class InstructionWidthTests
{
    /// <summary>Tells a child the widest vector that it must find.</summary>
    internal const string Expected = "FINERY_TEST_WIDEST_VECTOR";

    [Theory]
    [InlineData("DOTNET_EnableAVX512", 256)]
    [InlineData("DOTNET_EnableAVX2", 128)]
    [InlineData("DOTNET_EnableHWIntrinsic", 0)]
    public async Task Ops_pass_at_every_width(string setting, int widest)
    {
        Assert.SkipWhen(Widest() < widest, $"this processor has no {widest}-bit vectors");
        Assert.SkipWhen(widest is 128 or 256 && !Vector256.IsHardwareAccelerated, "the setting is for x86");
        // Children run the tests of ops and of the loops that ops share, so none of them comes back here.
        string program = Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "Finery.Tests.exe" : "Finery.Tests");
        var start = new ProcessStartInfo(
            program,
            ["-namespace", "Finery.Tests.Tensors.Ops*", "-namespace", "Finery.Tests.Tensors.Cpu", "-noLogo", "-noColor"])
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        };
        start.Environment[setting] = "0";
        start.Environment[Expected] = widest.ToString();
        using var child = Process.Start(start)!;
        var errors = child.StandardError.ReadToEndAsync();
        string output = await child.StandardOutput.ReadToEndAsync() + await errors;
        await child.WaitForExitAsync();
        Assert.True(child.ExitCode == 0, output);
        Assert.Contains("Failed: 0", output, StringComparison.Ordinal);
        Assert.DoesNotContain("Total: 0", output, StringComparison.Ordinal);
    }

    /// <summary>Bits of the widest accelerated vector, 0 where there is none.</summary>
    internal static int Widest() => Vector512.IsHardwareAccelerated ? 512
        : Vector256.IsHardwareAccelerated ? 256
        : Vector128.IsHardwareAccelerated ? 128 : 0;
}

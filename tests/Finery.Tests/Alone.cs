using System.Diagnostics;
using System.Runtime.CompilerServices;
using Xunit;

namespace Finery.Tests;

/// <summary>Runs a test's body in a process of its own, where no other test allocates, and fails where the body does.</summary>
internal static class Alone
{
    private const string Variable = "FINERY_TEST_ALONE";

    /// <param name="test">Type of the test.</param>
    /// <param name="body">What to run there.</param>
    /// <param name="method">The calling test, a fact.</param>
    public static async Task Run(Type test, Action body, [CallerMemberName] string method = "")
    {
        string name = $"{test.FullName}.{method}";
        if (Environment.GetEnvironmentVariable(Variable) == name)
        {
            body();
            return;
        }
        string program = Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "Finery.Tests.exe" : "Finery.Tests");
        var start = new ProcessStartInfo(program, ["-method", name, "-noLogo", "-noColor"])
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        };
        start.Environment[Variable] = name;
        using var child = Process.Start(start)!;
        var errors = child.StandardError.ReadToEndAsync();
        string output = await child.StandardOutput.ReadToEndAsync() + await errors;
        await child.WaitForExitAsync();
        Assert.True(child.ExitCode == 0, output);
        Assert.Contains("Total: 1,", output, StringComparison.Ordinal);
    }
}

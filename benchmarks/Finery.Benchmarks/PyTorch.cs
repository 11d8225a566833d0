using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Finery.Benchmarks;

/// <summary>The peer of whole training steps and of attention: scripts run by a Python that has PyTorch (Debian: python3-torch).</summary>
internal sealed partial class PyTorch
{
    private readonly string _python;

    private PyTorch(string python) => _python = python;

    /// <summary>The first Python with PyTorch, or null.</summary>
    public static PyTorch? Find()
    {
        foreach (string python in (string[])["python3", "/usr/bin/python3", "python"])
        {
            try
            {
                if (Execute(python, ["-c", "import torch"], out _) == 0) return new(python);
            }
            catch (System.ComponentModel.Win32Exception)
            {
                // No such program.
            }
        }
        return null;
    }

    /// <summary>Runs a script that prints <c>tokens/s=NUMBER</c>; returns the number, or null where it failed.</summary>
    public double? TokensPerSecond(string script, params string[] arguments)
    {
        if (Execute(_python, [script, .. arguments], out string output) != 0) return null;
        var match = Rate().Match(output);
        return match.Success ? double.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture) : null;
    }

    private static int Execute(string program, string[] arguments, out string output)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var errors = process.StandardError.ReadToEndAsync();
        output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0 && errors.Result.Length > 0 && !errors.Result.Contains("No module named 'torch'", StringComparison.Ordinal))
            Console.Error.WriteLine(errors.Result);
        return process.ExitCode;
    }

    [GeneratedRegex(@"tokens/s=([0-9.eE+]+)")]
    private static partial Regex Rate();
}

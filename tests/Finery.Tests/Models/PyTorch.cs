using System.Diagnostics;

namespace Finery.Tests.Models;

/// <summary>Runs scripts of the system's Python, for tests against PyTorch.</summary>
internal static class PyTorch
{
    /// <summary>Why a test is skipped.</summary>
    public const string Absent = $"{Python} with torch is not installed";

    private const string Python = "/usr/bin/python3";

    private static readonly Lazy<bool> Installed = new(() => File.Exists(Python) && Start(["-c", "import torch"]).Code == 0);

    /// <summary>Whether Python finds it.</summary>
    public static bool IsInstalled => Installed.Value;

    /// <summary>Standard output of a script.</summary>
    /// <exception cref="InvalidOperationException">The script failed; the message is what it wrote.</exception>
    public static string Run(params string[] arguments)
    {
        var (code, output, errors) = Start(arguments);
        return code == 0 ? output : throw new InvalidOperationException(errors);
    }

    private static (int Code, string Output, string Errors) Start(string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(Python, arguments)
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        })!;
        var errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, errors.Result);
    }
}

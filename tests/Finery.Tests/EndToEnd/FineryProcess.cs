using System.Diagnostics;
using System.Text;

namespace Finery.Tests.EndToEnd;

/// <summary>The command line as a user runs it: a process of its own.</summary>
internal sealed class FineryProcess : IDisposable
{
    private readonly Process _process;
    private readonly StringBuilder _output = new();

    private FineryProcess(Process process)
    {
        _process = process;
        process.OutputDataReceived += (_, line) => Add(line.Data);
        process.ErrorDataReceived += (_, line) => Add(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    /// <summary>Both streams, so far.</summary>
    public string Output
    {
        get
        {
            lock (_output) return _output.ToString();
        }
    }

    public int ExitCode => _process.ExitCode;

    public static FineryProcess Start(params IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo("dotnet")
        {
            RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true, UseShellExecute = false,
        };
        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "finery.dll"));
        foreach (string argument in arguments) start.ArgumentList.Add(argument);
        var process = Process.Start(start) ?? throw new InvalidOperationException("dotnet did not start.");
        process.StandardInput.Close();
        return new(process);
    }

    /// <summary>Runs to the end and returns exit code and output.</summary>
    public static (int ExitCode, string Output) Run(params IEnumerable<string> arguments)
    {
        using var process = Start(arguments);
        process.WaitForExit();
        return (process.ExitCode, process.Output);
    }

    public void WaitForExit() => _process.WaitForExit();

    public bool WaitForExit(int milliseconds) => _process.WaitForExit(milliseconds);

    /// <summary>Waits until something has happened.</summary>
    /// <returns>Whether the process ended before it did.</returns>
    public bool ExitsBefore(Func<bool> happened)
    {
        while (!happened())
        {
            if (WaitForExit(5)) return true;
        }
        return false;
    }

    /// <summary>SIGKILL: no chance to save anything.</summary>
    public void Kill()
    {
        _process.Kill(entireProcessTree: true);
        _process.WaitForExit();
    }

    public void Dispose() => _process.Dispose();

    private void Add(string? line)
    {
        if (line is null) return;
        lock (_output) _output.AppendLine(line);
    }
}

using System.Text;
using Finery.Cli.Commands;

namespace Finery.Cli;

/// <summary>Entry point of <c>finery</c>.</summary>
public static class Program
{
    /// <summary>Runs one command.</summary>
    /// <returns>The exit code (see <c>docs/guide.md</c>).</returns>
    public static int Main(string[] args)
    {
        if (OperatingSystem.IsWindows()) Console.OutputEncoding = Encoding.UTF8;
        return CommandLine.Run(args);
    }
}

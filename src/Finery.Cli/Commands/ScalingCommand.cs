using System.CommandLine;

namespace Finery.Cli.Commands;

/// <summary><c>finery scaling</c>: laws of size and data, fitted and used.</summary>
public static class ScalingCommand
{
    /// <summary>The command.</summary>
    public static Command Create() => new("scaling", "Fit scaling laws to finished runs, and plan by them.");
}

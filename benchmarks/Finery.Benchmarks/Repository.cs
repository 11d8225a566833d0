using System.Runtime.CompilerServices;

namespace Finery.Benchmarks;

/// <summary>Where what is measured lies.</summary>
internal static class Repository
{
    public static string Root { get; } = Folder();

    /// <summary>The real inputs.</summary>
    public static string Data { get; } = Path.GetFullPath(Path.Combine(Root, "..", "shared", "data"));

    private static string Folder([CallerFilePath] string here = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", ".."));
}

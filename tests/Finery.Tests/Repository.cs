using System.Runtime.CompilerServices;

namespace Finery.Tests;

/// <summary>Where the files lie that tests read.</summary>
internal static class Repository
{
    public static string Root { get; } = Folder();

    public static string Claims { get; } = Path.Combine(Root, "recipes", "claims");

    /// <summary>Real inputs, which are not part of the repository and may be absent.</summary>
    public static string Data { get; } = Path.GetFullPath(Path.Combine(Root, "..", "shared", "data"));

    private static string Folder([CallerFilePath] string here = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "../.."));
}

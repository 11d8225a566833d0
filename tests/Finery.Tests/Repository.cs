using System.Runtime.CompilerServices;

namespace Finery.Tests;

/// <summary>Where the files lie that tests read.</summary>
internal static class Repository
{
    public static string Root { get; } = Folder();

    public static string Claims { get; } = Path.Combine(Root, "recipes", "claims");

    /// <summary>Real inputs and peers' programs, in the nearest folder above that has them: not part of the repository, and may be absent.</summary>
    public static string Shared { get; } = SharedAbove(Root);

    public static string Data { get; } = Path.Combine(Shared, "data");

    private static string SharedAbove(string folder)
    {
        string shared = Path.Combine(folder, "shared");
        return Directory.Exists(Path.Combine(shared, "data")) || Path.GetDirectoryName(folder) is not { } parent ? shared : SharedAbove(parent);
    }

    private static string Folder([CallerFilePath] string here = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "../.."));
}

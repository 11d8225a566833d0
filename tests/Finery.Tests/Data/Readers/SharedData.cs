using Xunit;

namespace Finery.Tests.Data.Readers;

/// <summary>Real inputs that lie outside the repository, in a folder <c>shared/data</c> above it.</summary>
internal static class SharedData
{
    /// <summary>Path of a file there; the test is skipped if there is none.</summary>
    public static string Path(params string[] parts)
    {
        string path = System.IO.Path.Combine([Repository.Data, .. parts]);
        Assert.SkipUnless(File.Exists(path), $"shared/data/{string.Join('/', parts)} is not on this machine.");
        return path;
    }
}

using Xunit;

namespace Finery.Tests.Data.Readers;

/// <summary>Real inputs that lie outside the repository, in a folder <c>shared/data</c> beside it or above it.</summary>
internal static class SharedData
{
    /// <summary>Path of a file there; the test is skipped if there is none.</summary>
    public static string Path(params string[] parts)
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var path = System.IO.Path.Combine([folder.FullName, "shared", "data", .. parts]);
            if (File.Exists(path))
                return path;
        }
        Assert.Skip($"shared/data/{string.Join('/', parts)} is not on this machine.");
        return "";
    }
}

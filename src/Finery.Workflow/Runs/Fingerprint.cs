using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text.Json.Nodes;

namespace Finery.Workflow.Runs;

/// <summary>Content of files and folders as digests. Always of the content: times and permissions never count.</summary>
internal static class Fingerprint
{
    private const int BufferSize = 1 << 20;

    /// <summary>Files of a file or folder with their digests, by name.</summary>
    /// <exception cref="IOException">Something cannot be read.</exception>
    public static IReadOnlyList<FileRecord> Files(string path, CancellationToken stop)
    {
        if (!Directory.Exists(path)) return Digest([(path, "")], stop);
        var options = new EnumerationOptions
        {
            RecurseSubdirectories = true,
            AttributesToSkip = FileAttributes.None,
            IgnoreInaccessible = false,
            // Ends a loop of links.
            MaxRecursionDepth = 64,
        };
        var folder = new DirectoryInfo(path);
        var files = folder.EnumerateFiles("*", options).Select(file => file.FullName)
            .Select(file => (file, Name: Path.GetRelativePath(folder.FullName, file).Replace('\\', '/')));
        return Digest(files, stop);
    }

    /// <summary>Digests of files under the names they shall have, sorted by name.</summary>
    public static IReadOnlyList<FileRecord> Digest(IEnumerable<(string Path, string Name)> files, CancellationToken stop)
    {
        var records = new ConcurrentBag<FileRecord>();
        try
        {
            Parallel.ForEach(files, new ParallelOptions { CancellationToken = stop }, file =>
                records.Add(Digest(file.Path, file.Name)));
        }
        catch (AggregateException e)
        {
            throw e.InnerExceptions[0];
        }
        return [.. records.OrderBy(record => record.Path, StringComparer.Ordinal)];
    }

    /// <summary>One digest of many files: of their names, lengths and contents.</summary>
    public static string Of(IReadOnlyList<FileRecord> files) => RunJson.Hash(new JsonArray(
        [.. files.Select(file => new JsonObject { ["path"] = file.Path, ["bytes"] = file.Bytes, ["sha256"] = file.Sha256 })]));

    /// <summary>Names files by what differs in their paths, so that moving a folder as a whole changes nothing.</summary>
    public static IEnumerable<(string Path, string Name)> WithoutCommonFolder(IEnumerable<string> files)
    {
        string[] paths = [.. files.Select(Path.GetFullPath).Distinct(StringComparer.Ordinal)];
        if (paths.Length == 0) return [];
        string common = Path.GetDirectoryName(paths[0]) ?? "";
        foreach (string path in paths)
            while (common.Length > 0 && !path.StartsWith(common + Path.DirectorySeparatorChar, StringComparison.Ordinal))
                common = Path.GetDirectoryName(common) ?? "";
        return paths.Select(path => (path, path[common.Length..].TrimStart(Path.DirectorySeparatorChar).Replace('\\', '/')));
    }

    private static FileRecord Digest(string path, string name)
    {
        using var file = new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.Open,
            Access = FileAccess.Read,
            Share = FileShare.ReadWrite | FileShare.Delete,
            Options = FileOptions.SequentialScan,
            BufferSize = 0,
        });
        using var sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = new byte[(int)Math.Clamp(file.Length, 1, BufferSize)];
        long bytes = 0;
        for (int read; (read = file.Read(buffer)) > 0; bytes += read) sha.AppendData(buffer, 0, read);
        return new(name, bytes, Convert.ToHexStringLower(sha.GetHashAndReset()));
    }
}

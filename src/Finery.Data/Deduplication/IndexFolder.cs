namespace Finery.Data.Deduplication;

/// <summary>What an earlier run left for later ones to be compared with.</summary>
internal static class IndexFolder
{
    /// <summary>Files of an index in order; none without a folder.</summary>
    /// <exception cref="FileNotFoundException">There is a folder to look in and it has none: comparing with nothing would
    /// silently keep everything.</exception>
    public static List<string> Files(string? folder, string pattern)
    {
        if (folder is null)
            return [];
        var files = Directory.Exists(folder)
            ? Directory.EnumerateFiles(folder, pattern).Order(StringComparer.Ordinal).ToList() : [];
        return files.Count > 0 ? files : throw new FileNotFoundException(
            $"There is no index in '{folder}' ({pattern}): it was written with other settings, or is not one.");
    }
}

using Finery.Data.Readers.Remote;

namespace Finery.Data.Readers;

/// <summary>Expands <c>*</c> (within a name), <c>?</c> (one character) and <c>**</c> (any number of folders), in paths of this
/// machine and <c>s3://</c> addresses; an <c>https://</c> address stands for itself.</summary>
public static class FileGlob
{
    private static readonly StringComparison s_comparison =
        OperatingSystem.IsWindows() ? StringComparison.OrdinalIgnoreCase : StringComparison.Ordinal;

    /// <summary>The files a list of patterns stands for, each once, in ordinal order of the path within each pattern.</summary>
    /// <exception cref="FileNotFoundException">A pattern matches no file.</exception>
    public static List<string> ExpandAll(IEnumerable<string> patterns)
    {
        var seen = new HashSet<string>(StringComparer.FromComparison(s_comparison));
        return [.. patterns.SelectMany(Expand).Where(seen.Add)];
    }

    /// <inheritdoc cref="ExpandAll"/>
    public static IReadOnlyList<string> Expand(string pattern)
    {
        if (string.IsNullOrWhiteSpace(pattern))
            throw new ArgumentException("An input path is empty.", nameof(pattern));
        if (InputFile.IsRemote(pattern))
            return InputFile.Expand(pattern);
        if (File.Exists(pattern))
            return [pattern];
        var segments = pattern.Split('/', Path.DirectorySeparatorChar);
        var first = Array.FindIndex(segments, s => s.AsSpan().IndexOfAny('*', '?') >= 0);
        if (first < 0)
            throw new FileNotFoundException(Directory.Exists(pattern)
                ? $"'{pattern}' is a folder: name files in it, such as '{Path.Combine(pattern, "*.txt")}'."
                : $"No file matches '{pattern}'.", pattern);
        var root = string.Join(Path.DirectorySeparatorChar, segments[..first]);
        if (first == 1 && segments[0].Length == 0)
            root = Path.DirectorySeparatorChar.ToString();
        var found = new List<string>();
        if (Directory.Exists(root.Length == 0 ? "." : root))
            Walk(root, segments.AsSpan(first), found);
        if (found.Count == 0)
            throw new FileNotFoundException($"No file matches '{pattern}'.", pattern);
        found.Sort(StringComparer.Ordinal);
        return [.. found.Distinct()];
    }

    private static void Walk(string folder, ReadOnlySpan<string> segments, List<string> found)
    {
        var options = new EnumerationOptions { IgnoreInaccessible = true, AttributesToSkip = FileAttributes.None };
        var segment = segments[0];
        var rest = segments[1..];
        var directory = new DirectoryInfo(folder.Length == 0 ? "." : folder);
        if (segment == "**")
        {
            if (rest.Length > 0)
                Walk(folder, rest, found);
            // A link back to a parent would recurse for ever, so `**` does not follow links.
            foreach (var below in directory.EnumerateDirectories("*", options))
                if (below.LinkTarget is null && !below.Name.StartsWith('.'))
                    Walk(Path.Combine(folder, below.Name), segments, found);
            if (rest.Length == 0)
                Walk(folder, ["*"], found);
            return;
        }
        foreach (var entry in directory.EnumerateFileSystemInfos("*", options))
        {
            if (!Matches(entry.Name, segment) || (entry.Name.StartsWith('.') && !segment.StartsWith('.')))
                continue;
            var path = Path.Combine(folder, entry.Name);
            if (rest.Length > 0 && Directory.Exists(path))
                Walk(path, rest, found);
            else if (rest.Length == 0 && File.Exists(path))
                found.Add(path);
        }
    }

    /// <summary>Whether a path, given by its segments, matches a pattern, given by its own.</summary>
    internal static bool MatchesPath(ReadOnlySpan<string> path, ReadOnlySpan<string> pattern)
    {
        if (pattern.IsEmpty)
            return path.IsEmpty;
        if (pattern[0] != "**")
            return !path.IsEmpty && Matches(path[0], pattern[0]) && MatchesPath(path[1..], pattern[1..]);
        if (pattern.Length == 1)
            return !path.IsEmpty;
        for (var skipped = 0; skipped < path.Length; skipped++)
            if (MatchesPath(path[skipped..], pattern[1..]))
                return true;
        return false;
    }

    /// <summary>Whether a name matches literals, <c>*</c> and <c>?</c>; at worst the product of both lengths.</summary>
    public static bool Matches(ReadOnlySpan<char> name, ReadOnlySpan<char> pattern)
    {
        int n = 0, p = 0, star = -1, resume = 0;
        while (n < name.Length)
        {
            if (p < pattern.Length && pattern[p] == '*')
            {
                star = p++;
                resume = n;
            }
            else if (p < pattern.Length && (pattern[p] == '?' || name.Slice(n, 1).Equals(pattern.Slice(p, 1), s_comparison)))
            {
                n++;
                p++;
            }
            else if (star >= 0)
            {
                p = star + 1;
                n = ++resume;
            }
            else
                return false;
        }
        return pattern[p..].TrimStart('*').IsEmpty;
    }
}

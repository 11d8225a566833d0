namespace Finery.Data.Filters;

/// <summary>Word lists: one entry a line, blank lines and lines that start with <c>#</c> skipped.</summary>
internal static class WordList
{
    /// <summary>Entries of a list that comes with Finery.</summary>
    public static List<string> Bundled(string name)
    {
        using var stream = typeof(WordList).Assembly.GetManifestResourceStream(name)
            ?? throw new FileNotFoundException($"There is no list '{name}' in Finery.", name);
        using var reader = new StreamReader(stream);
        return [.. Entries(reader).Select(e => e.Text)];
    }

    /// <summary>Entries of a file, gzip when its name ends in <c>.gz</c>, with their line numbers from 1.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static IEnumerable<(string Text, int Line)> ReadFile(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16);
        using var stream = path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase)
            ? new System.IO.Compression.GZipStream(file, System.IO.Compression.CompressionMode.Decompress) : (Stream)file;
        using var reader = new StreamReader(stream);
        foreach (var entry in Entries(reader))
            yield return entry;
    }

    private static IEnumerable<(string Text, int Line)> Entries(TextReader reader)
    {
        for (var number = 1; reader.ReadLine() is { } line; number++)
            if (line.AsSpan().Trim() is { Length: > 0 } text && text[0] != '#')
                yield return (text.ToString(), number);
    }
}

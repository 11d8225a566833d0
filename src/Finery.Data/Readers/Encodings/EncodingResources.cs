using System.Text;

namespace Finery.Data.Readers.Encodings;

/// <summary>The tables of this folder.</summary>
internal static class EncodingResources
{
    /// <summary>The lines of a table, without comments, cut at spaces.</summary>
    public static IEnumerable<string[]> Lines(string name)
    {
        using var stream = typeof(EncodingResources).Assembly.GetManifestResourceStream(name)
            ?? throw new InvalidOperationException($"The resource '{name}' is missing.");
        using var reader = new StreamReader(stream, Encoding.UTF8);
        while (reader.ReadLine() is { } line)
            if (line.Length > 0 && line[0] != '#')
                yield return line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
    }
}

namespace Finery.Data.Filters.Segmentation;

/// <summary>Lines of an embedded text, without empty ones and those that begin with <c># </c>.</summary>
internal static class ResourceLines
{
    public static IEnumerable<string> Of(string name)
    {
        using var stream = typeof(ResourceLines).Assembly.GetManifestResourceStream(name)
            ?? throw new InvalidOperationException($"The resource '{name}' is missing from the assembly.");
        using var reader = new StreamReader(stream);
        while (reader.ReadLine() is { } line)
            if (line.Length > 0 && !line.StartsWith("# ", StringComparison.Ordinal))
                yield return line;
    }
}

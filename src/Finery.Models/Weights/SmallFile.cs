namespace Finery.Models.Weights;

/// <summary>Reads files that are small when they are what they should be.</summary>
internal static class SmallFile
{
    /// <summary>All bytes of a file.</summary>
    /// <param name="path">Of the file.</param>
    /// <param name="limit">Most bytes it may have.</param>
    /// <exception cref="InvalidDataException">It has more.</exception>
    public static byte[] Read(string path, long limit)
    {
        long length = new FileInfo(path).Length;
        return length <= limit ? File.ReadAllBytes(path)
            : throw new InvalidDataException($"{path}: {length} bytes; at most {limit} are read.");
    }
}

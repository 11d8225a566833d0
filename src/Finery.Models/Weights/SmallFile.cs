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
        // The length of what is opened: a link's own says nothing.
        using var file = File.OpenHandle(path);
        long length = RandomAccess.GetLength(file);
        if (length > limit) throw new InvalidDataException($"{path}: {length} bytes; at most {limit} are read.");
        var bytes = new byte[length];
        int filled = 0;
        while (filled < bytes.Length && RandomAccess.Read(file, bytes.AsSpan(filled), filled) is > 0 and var read) filled += read;
        return filled == bytes.Length ? bytes : throw new InvalidDataException($"{path}: ended after {filled} of {length} bytes.");
    }
}

using Finery.Data.Compression;
using Finery.Data.Readers.Remote;

namespace Finery.Data.Readers;

/// <summary>Files that may be compressed, which their content tells.</summary>
internal static class CompressedFile
{
    /// <summary>Opens a file and undoes its compression.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static DecompressedStream Open(string path) => new(InputFile.Open(path));

    /// <summary>Reads a file whole, uncompressed, up to a bound.</summary>
    /// <param name="path">Local path or address.</param>
    /// <param name="maxBytes">The bound.</param>
    /// <param name="sourceBytes">Bytes read of the file as it is.</param>
    /// <returns>Null if it is larger.</returns>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="InvalidDataException">It is damaged, or expands too much.</exception>
    public static byte[]? ReadWhole(string path, long maxBytes, out long sourceBytes)
    {
        using var file = InputFile.Open(path);
        using var stream = new DecompressedStream(file);
        sourceBytes = 0;
        if (stream.Kind == CompressionKind.None && file.Length > maxBytes)
            return null;
        using var buffer = new MemoryStream((int)Math.Min(file.Length, maxBytes));
        var piece = new byte[1 << 16];
        while (stream.Read(piece) is > 0 and var read)
        {
            if (buffer.Length + read > maxBytes)
                return null;
            buffer.Write(piece, 0, read);
        }
        sourceBytes = stream.SourceBytes;
        return buffer.Length == buffer.Capacity ? buffer.GetBuffer() : buffer.ToArray();
    }
}

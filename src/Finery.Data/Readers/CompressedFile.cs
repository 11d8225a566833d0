using System.IO.Compression;
using Finery.Data.Readers.Remote;

namespace Finery.Data.Readers;

/// <summary>Files that may be gzip, recognised by content.</summary>
internal static class CompressedFile
{
    /// <summary>Opens a file and undoes its compression.</summary>
    /// <param name="path">Local path or address.</param>
    /// <param name="file">The file itself, whose position tells progress; owned by the stream returned.</param>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static Stream Open(string path, out Stream file)
    {
        file = InputFile.Open(path);
        Span<byte> magic = stackalloc byte[2];
        var isGzip = file.ReadAtLeast(magic, 2, throwOnEndOfStream: false) == 2 && magic is [0x1F, 0x8B];
        file.Position = 0;
        return isGzip ? new GZipStream(file, CompressionMode.Decompress) : file;
    }

    /// <summary>Reads a file whole, uncompressed, up to a bound; a damaged gzip file gives what came before the damage.</summary>
    /// <param name="path">Local path or address.</param>
    /// <param name="maxBytes">The bound.</param>
    /// <param name="fileBytes">Length of the file as it is.</param>
    /// <param name="bytes">Its content.</param>
    /// <param name="isDamaged">Whether the gzip file is damaged.</param>
    /// <returns>False if it is larger.</returns>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static bool TryReadWhole(string path, long maxBytes, out long fileBytes, out byte[] bytes, out bool isDamaged)
    {
        using var stream = Open(path, out var file);
        fileBytes = file.Length;
        bytes = [];
        isDamaged = false;
        if (ReferenceEquals(stream, file) && file.Length > maxBytes)
            return false;
        using var buffer = new MemoryStream();
        var piece = new byte[1 << 16];
        while (true)
        {
            int read;
            try
            {
                read = stream.Read(piece);
            }
            catch (InvalidDataException)
            {
                isDamaged = true;
                break;
            }
            if (read == 0)
                break;
            if (buffer.Length + read > maxBytes)
                return false;
            buffer.Write(piece, 0, read);
        }
        bytes = buffer.ToArray();
        return true;
    }
}

using System.IO.Compression;
using Finery.Data.Compression;

namespace Finery.Data.Parquet;

/// <summary>Codecs by their numbers in the format, and the decompression of pages.</summary>
internal static class PageCodec
{
    private static readonly string[] s_names = ["UNCOMPRESSED", "SNAPPY", "GZIP", "LZO", "BROTLI", "LZ4", "ZSTD", "LZ4_RAW"];

    /// <summary>The number of a codec in the format.</summary>
    public static int Number(ParquetCodec codec) => codec switch
    {
        ParquetCodec.None => 0,
        ParquetCodec.Snappy => 1,
        ParquetCodec.Gzip => 2,
        _ => 6,
    };

    /// <summary>Whether pages of this codec can be read.</summary>
    public static bool IsReadable(int codec) => codec is 0 or 1 or 2 or 4 or 6;

    /// <summary>The name of a codec in the format.</summary>
    public static string Name(int codec) => codec >= 0 && codec < s_names.Length ? s_names[codec] : $"number {codec}";

    /// <summary>Decompresses a page; memory grows with what comes out, not with what is claimed.</summary>
    /// <param name="codec">Number of the codec.</param>
    /// <param name="source">The compressed bytes.</param>
    /// <param name="length">How many bytes must come out.</param>
    /// <param name="buffer">Where they are put; replaced when too short.</param>
    /// <exception cref="InvalidDataException">The page is damaged.</exception>
    /// <param name="zstd">Decodes Zstandard; kept by the caller for its buffers, and made when first needed.</param>
    public static unsafe void Decompress(
        int codec, ReadOnlySpan<byte> source, int length, ref byte[] buffer, ref ZstdReadStream? zstd)
    {
        if (codec == 0)
        {
            if (source.Length != length)
                throw Wrong(length);
            Reserve(ref buffer, length, 0);
            source.CopyTo(buffer);
            return;
        }
        if (codec == 1)
        {
            // Three bytes make 64 at most.
            if (Snappy.DecompressedLength(source) != length || length > source.Length * 22L + 64)
                throw Wrong(length);
            Reserve(ref buffer, length, 0);
            Snappy.Decompress(source, buffer.AsSpan(0, length));
            return;
        }
        if (source.IsEmpty)
        {
            // .NET's gzip makes no bytes of no bytes.
            if (length > 0)
                throw Wrong(length);
            return;
        }
        fixed (byte* start = source)
        {
            using var compressed = new UnmanagedMemoryStream(start, source.Length);
            if (codec == 6)
            {
                zstd ??= new ZstdReadStream(compressed);
                zstd.Reset(compressed);
                ReadAll(zstd, length, ref buffer);
                return;
            }
            using Stream stream = codec == 2 ? new GZipStream(compressed, CompressionMode.Decompress)
                : new BrotliStream(compressed, CompressionMode.Decompress);
            ReadAll(stream, length, ref buffer);
        }
    }

    private static void ReadAll(Stream stream, int length, ref byte[] buffer)
    {
        var filled = 0;
        for (int count; filled < length; filled += count)
        {
            Reserve(ref buffer, (int)Math.Min(length, Math.Max(1 << 20, filled * 2L)), filled);
            count = stream.Read(buffer, filled, Math.Min(buffer.Length, length) - filled);
            if (count == 0)
                throw Wrong(length);
        }
        if (stream.ReadByte() >= 0)
            throw Wrong(length);
    }

    private static void Reserve(ref byte[] buffer, int length, int kept)
    {
        if (buffer.Length >= length)
            return;
        var larger = new byte[length];
        buffer.AsSpan(0, kept).CopyTo(larger);
        buffer = larger;
    }

    private static InvalidDataException Wrong(int length) =>
        new($"Damaged Parquet page: it does not decompress to {length} bytes.");
}

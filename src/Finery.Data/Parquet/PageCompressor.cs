using System.IO.Compression;
using Finery.Data.Compression;

namespace Finery.Data.Parquet;

/// <summary>Compresses pages with buffers that are kept from one to the next. Used by one thread.</summary>
internal sealed class PageCompressor(ParquetCodec codec)
{
    private readonly MemoryStream _compressed = new();
    private ZstdWriteStream? _zstd;
    private byte[] _buffer = [];

    /// <summary>The number of the codec in the format.</summary>
    public int Number => PageCodec.Number(codec);

    /// <summary>A page compressed; valid until the next call.</summary>
    public ReadOnlySpan<byte> Compress(ReadOnlySpan<byte> page)
    {
        switch (codec)
        {
            case ParquetCodec.None:
                return page;
            case ParquetCodec.Snappy:
                var most = Snappy.MaxCompressedLength(page.Length);
                if (_buffer.Length < most)
                    _buffer = new byte[most];
                return _buffer.AsSpan(0, Snappy.Compress(page, _buffer));
        }
        _compressed.SetLength(0);
        if (codec == ParquetCodec.Zstd)
        {
            _zstd ??= new ZstdWriteStream(_compressed, withChecksum: false);
            _zstd.Write(page);
            _zstd.EndFrame();
        }
        else
            using (var gzip = new GZipStream(_compressed, CompressionLevel.Optimal, leaveOpen: true))
                gzip.Write(page);
        return _compressed.GetBuffer().AsSpan(0, (int)_compressed.Length);
    }
}

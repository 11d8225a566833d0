namespace Finery.Data.Parquet;

/// <summary>Compression of the pages that Finery writes.</summary>
public enum ParquetCodec
{
    /// <summary>None.</summary>
    None,

    /// <summary>Snappy: fast, and what most files have.</summary>
    Snappy,

    /// <summary>Gzip.</summary>
    Gzip,

    /// <summary>Zstandard: about a third smaller than Snappy.</summary>
    Zstd,
}

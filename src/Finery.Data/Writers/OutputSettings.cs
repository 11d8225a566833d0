using Finery.Data.Parquet;

namespace Finery.Data.Writers;

/// <summary>Formats that documents are written in.</summary>
public enum OutputFormat
{
    /// <summary>JSON Lines.</summary>
    Jsonl,

    /// <summary>JSON Lines, gzip.</summary>
    JsonlGz,

    /// <summary>JSON Lines, Zstandard.</summary>
    JsonlZst,

    /// <summary>Parquet.</summary>
    Parquet,
}

/// <summary>How documents are written to files.</summary>
public sealed record OutputSettings
{
    /// <summary>The format.</summary>
    public OutputFormat Format { get; init; } = OutputFormat.JsonlZst;

    /// <summary>
    /// Name of the file a document goes to, without extension, <c>/</c> between folders. <c>${rank}</c> stands for the number
    /// of the part,
    /// <c>${id}</c> for the document's id, and <c>${key}</c> for any value of its metadata, made safe for a file name.
    /// </summary>
    public string Template { get; init; } = "${rank}";

    /// <summary>A file that has reached so many bytes is followed by another; names then begin with <c>000_</c>, <c>001_</c>,
    /// ... 0 for files of any size.</summary>
    public long MaxFileBytes { get; init; }

    /// <summary>Compression of Parquet pages.</summary>
    public ParquetCodec ParquetCodec { get; init; } = ParquetCodec.Snappy;

    /// <summary>Settings that cannot work.</summary>
    public IEnumerable<(string Property, string Message)> Validate()
    {
        if (MaxFileBytes < 0)
            yield return (nameof(MaxFileBytes), "must not be negative");
        if (FileTemplate.Problem(Template) is { } problem)
            yield return (nameof(Template), problem);
    }

    /// <summary>What file names end in.</summary>
    internal string Extension => Format switch
    {
        OutputFormat.Jsonl => ".jsonl",
        OutputFormat.JsonlGz => ".jsonl.gz",
        OutputFormat.JsonlZst => ".jsonl.zst",
        _ => ".parquet",
    };
}

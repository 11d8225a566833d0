using System.IO.Compression;
using System.Text.Json.Nodes;
using Finery.Data.Compression;

namespace Finery.Data.Writers;

/// <summary>
/// Writes documents as JSON Lines; gzip when the name ends in <c>.gz</c>, Zstandard when it ends in <c>.zst</c>. The file
/// appears under its name only at <see cref="DocumentWriter.Commit"/>; disposed before that, nothing is left but what a
/// checkpoint covers.
/// </summary>
public sealed class JsonLinesWriter : SingleFileWriter
{
    private readonly JsonRowWriter _rows = new();
    private readonly CompressionKind _kind;
    private Stream? _compressed;

    /// <summary>Starts the file; its folder is created if need be.</summary>
    public JsonLinesWriter(string path)
        : this(path, null)
    {
    }

    internal JsonLinesWriter(string path, JsonObject? checkpoint)
        : base(path, checkpoint) =>
        _kind = path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? CompressionKind.Gzip
            : path.EndsWith(".zst", StringComparison.OrdinalIgnoreCase) ? CompressionKind.Zstd : CompressionKind.None;

    /// <summary>Writes <c>{"id","text","metadata"}</c> and a line feed.</summary>
    /// <inheritdoc/>
    public override void Write(Document document, string? filterReason = null)
    {
        var row = _rows.Row(document, filterReason);
        (_kind == CompressionKind.None ? Output : _compressed ??= Compress()).Write(row);
        Count++;
    }

    private Stream Compress() => _kind == CompressionKind.Gzip
        ? new GZipStream(Output, CompressionLevel.Optimal, leaveOpen: true)
        : new ZstdWriteStream(Output, leaveOpen: true);

    private protected override void EndBlock()
    {
        if (_compressed is ZstdWriteStream zstd)
            zstd.EndFrame();
        else
        {
            _compressed?.Dispose();
            _compressed = null;
        }
    }

    private protected override void EndFile()
    {
        // A file of no documents is one empty frame.
        if (_kind == CompressionKind.Zstd && Length == 0)
            Compress().Dispose();
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        _rows.Dispose();
        // The compressing stream is left without its end: what it holds back belongs to no checkpoint.
        base.Dispose();
    }
}

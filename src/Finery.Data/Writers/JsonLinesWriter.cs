using System.Buffers;
using System.IO.Compression;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Finery.Data.Writers;

/// <summary>
/// Writes documents as JSON Lines, gzip when the name ends in <c>.gz</c>. The file appears under its name only at
/// <see cref="Commit"/>; disposed before that, nothing is left. Equal documents give equal bytes.
/// </summary>
public sealed class JsonLinesWriter : IDisposable
{
    private static readonly JsonWriterOptions s_options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly AtomicFile _file;
    private readonly Stream _output;
    private readonly ArrayBufferWriter<byte> _line = new();
    private readonly Utf8JsonWriter _json;

    /// <summary>Starts the file; its folder is created if need be.</summary>
    public JsonLinesWriter(string path)
    {
        _file = new AtomicFile(path);
        _output = path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase)
            ? new GZipStream(_file.Stream, CompressionLevel.Optimal, leaveOpen: true)
            : _file.Stream;
        _json = new Utf8JsonWriter(_line, s_options);
    }

    /// <summary>Documents written so far.</summary>
    public long Count { get; private set; }

    /// <summary>Writes <c>{"id","text","metadata"}</c> and a line feed.</summary>
    /// <param name="document">What to write.</param>
    /// <param name="filterReason">For a dropped document: added to its metadata as <c>filter_reason</c>.</param>
    public void Write(Document document, string? filterReason = null)
    {
        _json.WriteStartObject();
        _json.WriteString("id"u8, document.Id);
        _json.WriteString("text"u8, document.Text);
        _json.WriteStartObject("metadata"u8);
        foreach (var (key, value) in document.Metadata)
        {
            if (filterReason is not null && key == "filter_reason")
                continue;
            _json.WritePropertyName(key);
            if (value is null)
                _json.WriteNullValue();
            else
                value.WriteTo(_json);
        }
        if (filterReason is not null)
            _json.WriteString("filter_reason"u8, filterReason);
        _json.WriteEndObject();
        _json.WriteEndObject();
        _json.Flush();
        _json.Reset();
        _line.Write("\n"u8);
        _output.Write(_line.WrittenSpan);
        _line.ResetWrittenCount();
        Count++;
    }

    /// <summary>Completes the file and gives it its name.</summary>
    public void Commit()
    {
        if (_output != _file.Stream)
            _output.Dispose();
        _file.Commit();
    }

    /// <summary>Without a <see cref="Commit"/> before, removes what was written.</summary>
    public void Dispose()
    {
        try
        {
            _json.Dispose();
            if (_output != _file.Stream)
                _output.Dispose();
        }
        finally
        {
            _file.Dispose();
        }
    }
}

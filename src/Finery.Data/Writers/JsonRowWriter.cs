using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Finery.Data.Writers;

/// <summary>Writes documents as JSON rows into a buffer of its own. Used by one thread.</summary>
internal sealed class JsonRowWriter : IDisposable
{
    private static readonly JsonWriterOptions s_options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly ArrayBufferWriter<byte> _row = new(1 << 16);
    private readonly Utf8JsonWriter _json;

    public JsonRowWriter() => _json = new Utf8JsonWriter(_row, s_options);

    /// <summary><c>{"id","text","metadata"}</c> and a line feed; valid until the next call.</summary>
    public ReadOnlySpan<byte> Row(Document document, string? filterReason)
    {
        _row.ResetWrittenCount();
        _row.Write("{\"id\":\""u8);
        WriteString(document.Id);
        _row.Write("\",\"text\":\""u8);
        WriteString(document.Text);
        _row.Write("\",\"metadata\":"u8);
        WriteMetadata(document.Metadata, filterReason, _ => true);
        _row.Write("}\n"u8);
        return _row.WrittenSpan;
    }

    /// <summary>The metadata that is wanted, as a JSON object; valid until the next call.</summary>
    public ReadOnlySpan<byte> Metadata(JsonObject metadata, string? filterReason, Func<string, bool> isWanted)
    {
        _row.ResetWrittenCount();
        WriteMetadata(metadata, filterReason, isWanted);
        return _row.WrittenSpan;
    }

    private void WriteMetadata(JsonObject metadata, string? filterReason, Func<string, bool> isWanted)
    {
        _json.Reset();
        _json.WriteStartObject();
        foreach (var (key, value) in metadata)
        {
            if (filterReason is not null && key == "filter_reason" || !isWanted(key))
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
        _json.Flush();
    }

    private void WriteString(string text)
    {
        // Room for the worst case of a piece at a time: six times a whole document would be much.
        const int Piece = 1 << 16;
        for (var start = 0; start < text.Length;)
        {
            var length = Math.Min(Piece, text.Length - start);
            if (length == Piece && char.IsHighSurrogate(text[start + length - 1]))
                length--;
            var target = _row.GetSpan(JsonStringEncoder.MaxBytes(length));
            _row.Advance(JsonStringEncoder.Write(text.AsSpan(start, length), target));
            start += length;
        }
    }

    public void Dispose() => _json.Dispose();
}

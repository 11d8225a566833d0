using System.Text.Json;
using System.Text.Unicode;

namespace Finery.Models.Weights;

/// <summary>The JSON header of a safetensors file, read in one pass; nothing is kept but what it describes.</summary>
internal sealed class SafeTensorsHeader
{
    // No tensor library has tensors of more; it bounds what a list of ones can make us allocate.
    private const int MaxDimensions = 64;

    private const int ShownLetters = 120;

    private readonly string _path;
    private readonly Dictionary<string, SafeTensorEntry> _entries = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _metadata = new(StringComparer.Ordinal);

    private bool _hasMetadata;

    private SafeTensorsHeader(string path) => _path = path;

    /// <summary>All tensors by name.</summary>
    public IReadOnlyDictionary<string, SafeTensorEntry> Entries => _entries;

    /// <summary>The <c>__metadata__</c> map.</summary>
    public IReadOnlyDictionary<string, string> Metadata => _metadata;

    /// <summary>Reads a header and checks it against the bytes that follow it.</summary>
    /// <param name="path">For errors.</param>
    /// <param name="header">The JSON.</param>
    /// <param name="dataBytes">Bytes behind it.</param>
    /// <exception cref="InvalidDataException">Not well-formed.</exception>
    public static SafeTensorsHeader Parse(string path, ReadOnlySpan<byte> header, long dataBytes)
    {
        var parsed = new SafeTensorsHeader(path);
        if (!Utf8.IsValid(header)) throw parsed.Malformed("the header is not UTF-8.");
        try
        {
            // The default of 64 levels bounds the depth.
            var json = new Utf8JsonReader(header);
            parsed.ReadAll(ref json);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a string escape that is not valid Unicode.
            throw parsed.Malformed($"the header is not valid JSON: {exception.Message}", exception);
        }
        parsed.CheckLayout(dataBytes);
        return parsed;
    }

    /// <summary>A name as errors print it: at most so many letters.</summary>
    public static string Shown(string name) => name.Length <= ShownLetters ? name : name[..ShownLetters] + "...";

    private void ReadAll(ref Utf8JsonReader json)
    {
        json.Read();
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            string name = json.GetString()!;
            json.Read();
            if (name == "__metadata__") ReadMetadata(ref json);
            else if (!_entries.TryAdd(name, ReadEntry(Shown(name), ref json)))
                throw Malformed($"two tensors are named {Shown(name)}.");
        }
        // Only white space may follow.
        json.Read();
    }

    private void ReadMetadata(ref Utf8JsonReader json)
    {
        if (json.TokenType != JsonTokenType.StartObject) throw Malformed("__metadata__ is not an object.");
        if (_hasMetadata) throw Malformed("there are two __metadata__.");
        _hasMetadata = true;
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            string key = json.GetString()!;
            json.Read();
            if (json.TokenType != JsonTokenType.String) throw Malformed($"metadata {Shown(key)} is not a string.");
            if (!_metadata.TryAdd(key, json.GetString()!)) throw Malformed($"metadata {Shown(key)} is there twice.");
        }
    }

    private SafeTensorEntry ReadEntry(string name, ref Utf8JsonReader json)
    {
        if (json.TokenType != JsonTokenType.StartObject) throw Malformed($"the entry of {name} is not an object.");
        string? type = null;
        long[]? shape = null, offsets = null;
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            string key = json.GetString()!;
            json.Read();
            bool again = false;
            switch (key)
            {
                case "dtype":
                    (again, type) = (type is not null, json.TokenType == JsonTokenType.String ? json.GetString()! : "");
                    break;
                case "shape":
                    (again, shape) = (shape is not null, Integers(name, key, ref json));
                    break;
                case "data_offsets":
                    (again, offsets) = (offsets is not null, Integers(name, key, ref json));
                    break;
                default:
                    json.Skip();
                    break;
            }
            if (again) throw Malformed($"{name} has two {key}.");
        }
        if (type is null || !SafeTensorTypes.Has(type))
            throw Malformed($"{name} has {(type is null ? "no dtype" : $"the unknown dtype '{Shown(type)}'")}; "
                + $"known are {string.Join(", ", SafeTensorTypes.Names)}.");
        if (shape is null) throw Malformed($"{name} has no list shape.");
        if (offsets is not [var begin, var end] || begin > end)
            throw Malformed($"{name}: data_offsets must be two ascending numbers.");
        if (SafeTensorTypes.Size(type, shape, out long bytes) is { } fault) throw Malformed($"{name}: {fault}");
        if (end - begin != bytes)
            throw Malformed($"{name}: {type} [{string.Join(", ", shape)}] takes {bytes} bytes; the offsets span {end - begin}.");
        return new SafeTensorEntry(type, shape, begin, end);
    }

    private long[] Integers(string name, string key, ref Utf8JsonReader json)
    {
        if (json.TokenType != JsonTokenType.StartArray) throw Malformed($"{name} has no list {key}.");
        var values = new List<long>();
        while (json.Read() && json.TokenType != JsonTokenType.EndArray)
        {
            if (json.TokenType != JsonTokenType.Number || !json.TryGetInt64(out long value) || value < 0)
                throw Malformed($"{name}: {key} contains what is not a non-negative 64-bit integer.");
            if (values.Count == MaxDimensions) throw Malformed($"{name}: {key} has more than {MaxDimensions} values; not supported.");
            values.Add(value);
        }
        return [.. values];
    }

    private void CheckLayout(long dataBytes)
    {
        long expected = 0;
        foreach (var (name, entry) in _entries.OrderBy(entry => entry.Value.Begin).ThenBy(entry => entry.Value.End))
        {
            if (entry.Begin != expected)
                throw Malformed($"{Shown(name)} begins at byte {entry.Begin} of the data; expected {expected} (a gap or an overlap).");
            expected = entry.End;
        }
        if (expected != dataBytes)
            throw Malformed($"the header describes {expected} bytes of data, there are {dataBytes}: truncated or trailing bytes.");
    }

    private InvalidDataException Malformed(string what, Exception? inner = null) => new($"{_path}: {what}", inner);
}

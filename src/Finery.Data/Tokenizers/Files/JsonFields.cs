using System.Text.Json;

namespace Finery.Data.Tokenizers;

/// <summary>Fields of JSON objects, with errors that name them. A missing field is JSON's null.</summary>
internal static class JsonFields
{
    public static readonly JsonElement Null = Parse("null");

    public static JsonElement Parse(string json)
    {
        using var document = JsonDocument.Parse(json);
        return document.RootElement.Clone();
    }

    public static bool IsNull(this JsonElement value) => value.ValueKind == JsonValueKind.Null;

    public static JsonElement Field(this JsonElement parent, string name) =>
        parent.ValueKind != JsonValueKind.Object ? throw new InvalidDataException($"expected an object with \"{name}\"")
        : parent.TryGetProperty(name, out JsonElement value) ? value : Null;

    public static JsonElement Required(this JsonElement parent, string name) =>
        parent.Field(name) is { ValueKind: not JsonValueKind.Null } value
            ? value
            : throw new InvalidDataException($"\"{name}\" is missing");

    public static JsonElement.ArrayEnumerator Items(this JsonElement parent, string name) =>
        parent.Required(name) is { ValueKind: JsonValueKind.Array } list
            ? list.EnumerateArray()
            : throw new InvalidDataException($"\"{name}\" is not an array");

    public static string? Text(this JsonElement parent, string name) => parent.Field(name) switch
    {
        { ValueKind: JsonValueKind.Null } => null,
        { ValueKind: JsonValueKind.String } value => value.GetString(),
        _ => throw new InvalidDataException($"\"{name}\" is not a string"),
    };

    public static string RequiredText(this JsonElement parent, string name) =>
        parent.Text(name) ?? throw new InvalidDataException($"\"{name}\" is missing");

    public static bool? Flag(this JsonElement parent, string name) => parent.Field(name).ValueKind switch
    {
        JsonValueKind.Null => null,
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw new InvalidDataException($"\"{name}\" is not true or false"),
    };

    public static bool Flag(this JsonElement parent, string name, bool absent) => parent.Flag(name) ?? absent;

    public static int Number(this JsonElement parent, string name) => parent.Required(name).AsNumber($"\"{name}\"");

    public static int AsNumber(this JsonElement value, string what) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) && number >= 0
            ? number
            : throw new InvalidDataException($"{what} is not a number from 0 to 2147483647: {value.Start()}");

    /// <summary>A component's type, or the beginning of its text.</summary>
    public static string Describe(this JsonElement value) =>
        value.ValueKind == JsonValueKind.Object && value.TryGetProperty("type", out JsonElement type)
            && type.ValueKind == JsonValueKind.String ? type.GetString()! : value.Start();

    public static NotSupportedException Unsupported(string component, JsonElement value) =>
        new($"{component} {value.Describe()} is not supported");

    private static string Start(this JsonElement value)
    {
        string text = value.GetRawText();
        return text[..Math.Min(text.Length, 80)];
    }
}

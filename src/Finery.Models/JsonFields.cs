using System.Text.Json;
using Finery.Models.Weights;

namespace Finery.Models;

/// <summary>Typed values of a JSON object; null and absent are the same. Errors name the key, the value and what was expected.</summary>
internal static class JsonFields
{
    // Configurations take some kilobytes; the largest seen list label names.
    public const long MaxFileBytes = 16 << 20;

    public static JsonElement? Find(JsonElement json, string key)
    {
        if (json.ValueKind != JsonValueKind.Object)
            throw new InvalidDataException($"expected an object around {key}, found {json.ValueKind}.");
        return json.TryGetProperty(key, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;
    }

    public static int Integer(JsonElement json, string key, int? otherwise = null) =>
        Find(json, key) is { } value ? IntegerValue(value, key) : otherwise ?? throw new InvalidDataException($"{key} is missing.");

    public static int? IntegerOrNull(JsonElement json, string key) =>
        Find(json, key) is { } value ? IntegerValue(value, key) : null;

    public static int IntegerValue(JsonElement value, string key) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number)
            ? number
            : throw new InvalidDataException($"{key} is {Shown(value)}; expected a 32-bit integer.");

    public static double Number(JsonElement json, string key, double? otherwise = null) =>
        NumberOrNull(json, key) ?? otherwise ?? throw new InvalidDataException($"{key} is missing.");

    public static double? NumberOrNull(JsonElement json, string key) => Find(json, key) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Number } value => value.GetDouble(),
        { } value => throw new InvalidDataException($"{key} is {Shown(value)}; expected a number."),
    };

    public static bool Flag(JsonElement json, string key, bool otherwise) => FlagOrNull(json, key) ?? otherwise;

    public static bool? FlagOrNull(JsonElement json, string key) => Find(json, key) switch
    {
        null => null,
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        { } value => throw new InvalidDataException($"{key} is {Shown(value)}; expected true or false."),
    };

    /// <summary>One integer or a list of them.</summary>
    public static int[] Integers(JsonElement json, string key) => Find(json, key) switch
    {
        null => [],
        { ValueKind: JsonValueKind.Array } list => [.. list.EnumerateArray().Select(id => IntegerValue(id, key))],
        { } id => [IntegerValue(id, key)],
    };

    public static void Write(Utf8JsonWriter json, string key, int? value)
    {
        if (value is { } number) json.WriteNumber(key, number);
        else json.WriteNull(key);
    }

    /// <summary>One integer as such, several as a list, none as null.</summary>
    public static void Write(Utf8JsonWriter json, string key, IReadOnlyList<int> values)
    {
        if (values.Count <= 1)
        {
            Write(json, key, values.Count == 1 ? values[0] : null);
            return;
        }
        json.WriteStartArray(key);
        foreach (int value in values) json.WriteNumberValue(value);
        json.WriteEndArray();
    }

    public static string Shown(JsonElement value) => SafeTensorsHeader.Shown(value.ToString());
}

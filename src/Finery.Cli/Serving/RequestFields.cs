using System.Text.Json;

namespace Finery.Cli.Serving;

/// <summary>
/// Typed reading of a request's fields. Every field read is remembered, so that what nobody read can be refused by name instead
/// of being ignored. JSON null counts as absent, as clients send it for their defaults.
/// </summary>
/// <param name="body">The request.</param>
public sealed class RequestFields(JsonElement body)
{
    private readonly HashSet<string> _known = new(StringComparer.Ordinal);

    /// <summary>A field, or null when absent.</summary>
    public JsonElement? Find(string name)
    {
        _known.Add(name);
        return body.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;
    }

    /// <summary>A field of this type, or null when absent.</summary>
    public string? Text(string name) => Find(name) is not { } value ? null
        : value.ValueKind == JsonValueKind.String ? StringOf(name, value) : throw Wrong(name, "a string", value);

    /// <summary>A field of this type, or <paramref name="otherwise"/> when absent.</summary>
    public bool Flag(string name, bool otherwise = false) => Find(name) is not { } value ? otherwise
        : value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean()
            : throw Wrong(name, "a boolean", value);

    /// <summary>A whole number within bounds, or null when absent.</summary>
    public long? Whole(string name, long least, long most)
    {
        if (Find(name) is not { } value) return null;
        if (value.ValueKind != JsonValueKind.Number
            || !value.TryGetInt64(out long number)) throw Wrong(name, "an integer", value);
        if (number < least || number > most) throw ApiException.Invalid(name,
            $"'{name}' is {number}; it must be from {least} to {most}.");
        return number;
    }

    /// <summary>A number within bounds, or <paramref name="otherwise"/> when absent.</summary>
    public double Number(string name, double least, double most, double otherwise)
    {
        if (Find(name) is not { } value) return otherwise;
        if (value.ValueKind != JsonValueKind.Number
            || !value.TryGetDouble(out double number)) throw Wrong(name, "a number", value);
        if (!(number >= least && number <= most))
            throw ApiException.Invalid(name,
                FormattableString.Invariant($"'{name}' is {number}; it must be from {least} to {most}."));
        return number;
    }

    /// <summary>Declares fields that may be present and change nothing here (such as <c>user</c>).</summary>
    public void Accept(params ReadOnlySpan<string> names)
    {
        foreach (string name in names) _known.Add(name);
    }

    /// <summary>Refuses a field unless it is absent or neutral.</summary>
    public void Refuse(string name, string what, Func<JsonElement, bool> isNeutral)
    {
        if (Find(name) is { } value && !isNeutral(value)) throw ApiException.Unsupported(name, what);
    }

    /// <summary>Refuses fields that nothing has asked for, and duplicates.</summary>
    public void RefuseRest()
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var field in body.EnumerateObject())
        {
            if (!_known.Contains(field.Name))
                throw new ApiException(400, $"Unrecognized request argument: '{field.Name}'.", param: field.Name,
                    code: "unknown_parameter");
            if (!seen.Add(field.Name)) throw ApiException.Invalid(field.Name, $"'{field.Name}' is given twice.");
        }
    }

    /// <summary>The text of a JSON string.</summary>
    /// <exception cref="ApiException">It is not valid Unicode.</exception>
    public static string StringOf(string name, JsonElement value)
    {
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw ApiException.Invalid(name, $"'{name}' is not valid Unicode: it has half of a surrogate pair.");
        }
    }

    /// <summary>The error for a field of the wrong type.</summary>
    public static ApiException Wrong(string name, string expected, JsonElement got) => ApiException.Invalid(
        name, $"'{name}' must be {expected}, not {Kind(got)}.", "invalid_type");

    private static string Kind(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => $"the number {(value.GetRawText() is { Length: <= 30 } text ? text : "given")}",
        JsonValueKind.True or JsonValueKind.False => "a boolean",
        _ => "null",
    };
}

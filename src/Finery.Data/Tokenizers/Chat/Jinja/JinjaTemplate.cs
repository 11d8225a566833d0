using System.Text.Json;
using System.Text.Json.Nodes;

namespace Finery.Data.Tokenizers.Jinja;

/// <summary>What a template printed.</summary>
/// <param name="Text">All of it.</param>
/// <param name="Generated">Characters [Start, End) that came from <c>{% generation %}</c> blocks.</param>
public sealed record JinjaResult(string Text, IReadOnlyList<(int Start, int End)> Generated)
{
    /// <summary>Some generation block stood inside a macro or a block that is collected first, so that its place is not
    /// known.</summary>
    public bool LostGenerated { get; init; }
}

/// <summary>
/// A Jinja template as chat templates use it: HF's environment (sandboxed and immutable, <c>trim_blocks</c>,
/// <c>lstrip_blocks</c>, loop controls, generation blocks, plain <c>tojson</c>), printing as Python does. Immutable and safe
/// to use from many threads. A template can reach nothing but its variables, and its steps, text and nesting are bounded.
/// </summary>
public sealed class JinjaTemplate
{
    private const int MaxSource = 4 << 20, MaxJsonDepth = 90;

    private readonly string _source;
    private readonly Statement[] _body;

    private JinjaTemplate(string source)
    {
        _source = source;
        (_body, HasGeneration) = Parser.Parse(source);
    }

    /// <summary>Whether there is a <c>{% generation %}</c> block.</summary>
    public bool HasGeneration { get; }

    /// <summary>Reads a template.</summary>
    /// <exception cref="InvalidDataException">It is not valid; the message says where.</exception>
    /// <exception cref="NotSupportedException">It uses a feature that is not supported, which the message names.</exception>
    public static JinjaTemplate Parse(string source)
    {
        if (source.Length > MaxSource) throw new InvalidDataException($"The template is longer than {MaxSource >> 20} Mi characters.");
        string normalized = Lexer.Normalized(source);
        try
        {
            return new JinjaTemplate(normalized);
        }
        catch (TemplateError error)
        {
            throw Located(error, error.At, normalized);
        }
    }

    /// <summary>Prints the template with these variables.</summary>
    /// <param name="variables">What the template can see.</param>
    /// <param name="clock">What <c>strftime_now</c> reads; the system's if none is given.</param>
    /// <exception cref="InvalidDataException">The template refuses the variables, fails on them, or exceeds its limits; the
    /// message says where and why.</exception>
    /// <exception cref="NotSupportedException">It uses a feature that is not supported, which the message names.</exception>
    public JinjaResult Render(JsonObject variables, TimeProvider? clock = null)
    {
        long length = _source.Length;
        var values = new Dictionary<string, object?>(StringComparer.Ordinal);
        try
        {
            foreach (var (name, node) in variables) values[name] = FromJson(node, null, ref length);
        }
        catch (TemplateError error)
        {
            throw Located(error, -1, _source);
        }
        return Render(values, clock, length);
    }

    internal JinjaResult Render(IReadOnlyDictionary<string, object?> variables, TimeProvider? clock, long inputLength)
    {
        var run = new Interpreter(variables, clock ?? TimeProvider.System, inputLength);
        try
        {
            run.Run(_body);
        }
        catch (TemplateError error)
        {
            throw Located(error, error.At >= 0 ? error.At : run.At, _source);
        }
        return new JinjaResult(run.Output.ToString(), run.Generated) { LostGenerated = run.LostGenerated };
    }

    /// <summary>JSON as values.</summary>
    /// <param name="node">What to convert.</param>
    /// <param name="text">Applied to every string and key.</param>
    /// <param name="length">Grows by the size of what is converted.</param>
    /// <param name="depth">Of the nodes around it.</param>
    internal static object? FromJson(JsonNode? node, Func<string, string>? text, ref long length, int depth = 0)
    {
        if (depth > MaxJsonDepth) throw new TemplateError($"the data is nested more than {MaxJsonDepth} deep.");
        length++;
        switch (node)
        {
            case null:
                return null;
            case JsonArray array:
                var items = new object?[array.Count];
                for (int i = 0; i < items.Length; i++) items[i] = FromJson(array[i], text, ref length, depth + 1);
                return new Sequence(items);
            case JsonObject map:
                return FromObject(map, text, ref length, depth);
            default:
                return FromValue((JsonValue)node, text, ref length);
        }
    }

    private static Mapping FromObject(JsonObject map, Func<string, string>? text, ref long length, int depth)
    {
        object?[] keys, values;
        try
        {
            keys = new object?[map.Count];
            values = new object?[map.Count];
            int i = 0;
            foreach (var (key, value) in map)
            {
                keys[i] = text is null ? key : text(key);
                values[i++] = FromJson(value, text, ref length, depth + 1);
                length += key.Length;
            }
        }
        catch (ArgumentException)
        {
            throw new TemplateError("a JSON object has a key twice.");
        }
        return text is null ? Mapping.OfDistinct(keys, values) : Mapping.Of(keys, values);
    }

    private static object FromValue(JsonValue value, Func<string, string>? text, ref long length)
    {
        switch (value.GetValueKind())
        {
            case JsonValueKind.True: return true;
            case JsonValueKind.False: return false;
            case JsonValueKind.Number: return Number(value.ToJsonString());
            default:
                string content;
                try
                {
                    content = value.GetValue<string>();
                }
                catch (InvalidOperationException)
                {
                    throw new TemplateError("a JSON string is not valid Unicode.");
                }
                length += content.Length;
                return text is null ? content : text(content);
        }
    }

    private static object Number(string raw)
    {
        var culture = System.Globalization.CultureInfo.InvariantCulture;
        if (raw.AsSpan().ContainsAny(".eE")) return double.Parse(raw, culture);
        if (long.TryParse(raw, culture, out long number)) return number;
        return raw.Length <= 1000 ? System.Numerics.BigInteger.Parse(raw, culture) : throw new TemplateError("a JSON integer has too many digits.");
    }

    private static Exception Located(TemplateError error, int at, string source)
    {
        string place = "";
        if (at >= 0)
        {
            int end = Math.Min(at, source.Length);
            int line = source.AsSpan(0, end).Count('\n') + 1;
            place = $", line {line}, column {end - source.AsSpan(0, end).LastIndexOf('\n')}";
        }
        return error.Kind switch
        {
            TemplateErrorKind.Raised => new InvalidDataException(
                $"The chat template refuses this conversation: {error.Message} (template{place})", error),
            TemplateErrorKind.Unsupported => new NotSupportedException($"Chat template{place}: {error.Message}", error),
            _ => new InvalidDataException($"Chat template{place}: {error.Message}", error),
        };
    }
}

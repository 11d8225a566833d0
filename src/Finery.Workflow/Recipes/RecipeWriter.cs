using System.Collections;
using System.Globalization;
using System.Reflection;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Finery.Workflow.Steps;

namespace Finery.Workflow.Recipes;

/// <summary>Writes settings back as JSON or YAML, so that reading them gives equal settings.</summary>
public static partial class RecipeWriter
{
    /// <summary>The settings of a record by recipe key, in order of declaration.</summary>
    /// <param name="record">A step or other settings record.</param>
    /// <param name="schema">Kinds of settings.</param>
    /// <param name="forKey">Leave out what does not belong into a cache key: inputs and <see cref="NeutralAttribute"/>
    /// settings.</param>
    internal static JsonObject Settings(object record, RecipeSchema schema, bool forKey = false)
    {
        var settings = new JsonObject();
        foreach (var property in StepSetting.Properties(record.GetType()))
        {
            if (forKey && (property.IsDefined(typeof(InputAttribute)) || property.IsDefined(typeof(NeutralAttribute)))) continue;
            settings[StepSetting.SnakeCase(property.Name)] =
                property.GetValue(record) is { } value ? Value(value, schema, property.PropertyType, forKey) : null;
        }
        return settings;
    }

    internal static JsonNode Value(object value, RecipeSchema schema, Type? declared = null, bool forKey = false)
    {
        declared = declared is null ? value.GetType() : Nullable.GetUnderlyingType(declared) ?? declared;
        switch (value)
        {
            case string text: return JsonValue.Create(text);
            case bool flag: return JsonValue.Create(flag);
            case Enum name: return JsonValue.Create(StepSetting.SnakeCase(name.ToString()));
            case TimeSpan duration: return JsonValue.Create(ScalarText.Write(duration));
            case float number: return float.IsFinite(number) ? JsonValue.Create(number) : JsonValue.Create(NonFinite(number));
            case double number: return double.IsFinite(number) ? JsonValue.Create(number) : JsonValue.Create(NonFinite(number));
            case decimal number: return JsonValue.Create(number);
            case Artifact artifact:
                return JsonValue.Create(artifact.Producer is null ? artifact.Path
                    : $"{artifact.Producer}.{Path.GetFileName(artifact.Path)}");
            case IDictionary map:
                var entries = new JsonObject();
                foreach (DictionaryEntry entry in map)
                    entries[(string)entry.Key] = entry.Value is null ? null : Value(entry.Value, schema, null, forKey);
                return entries;
            case IEnumerable list:
                var item = RecordBinder.ListItem(declared);
                return new JsonArray([.. list.Cast<object>().Select(each => Value(each, schema, item, forKey))]);
            case IConvertible whole: return JsonNode.Parse(whole.ToString(CultureInfo.InvariantCulture))!;
        }
        var settings = new JsonObject();
        var family = schema.FamilyOf(declared)
            ?? schema.Families.FirstOrDefault(family => family.Root.IsInstanceOfType(value));
        if (family is not null)
            settings[family.Discriminator] = family.Members.First(member => member.Value == value.GetType()).Key;
        foreach (var (key, node) in Settings(value, schema, forKey)) settings[key] = node?.DeepClone();
        return settings;
    }

    private static string NonFinite(double value) => double.IsNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";

    /// <summary>A value on one line.</summary>
    internal static string Inline(JsonNode? node) => node switch
    {
        JsonArray list => $"[{string.Join(", ", list.Select(Inline))}]",
        JsonObject map => $"{{{string.Join(", ", map.Select(entry => $"{Scalar(entry.Key)}: {Inline(entry.Value)}"))}}}",
        JsonValue value when value.GetValueKind() == JsonValueKind.String => Scalar(value.GetValue<string>()),
        _ => node?.ToJsonString() ?? "null",
    };

    /// <summary>A resolved recipe as YAML text.</summary>
    public static string Yaml(JsonObject recipe)
    {
        var yaml = new StringBuilder();
        WriteMap(yaml, recipe, 0, firstIndented: false);
        return yaml.ToString();
    }

    private static void WriteMap(StringBuilder yaml, JsonObject map, int indentation, bool firstIndented)
    {
        foreach (var (key, value) in map)
        {
            if (!firstIndented) yaml.Append(' ', indentation);
            firstIndented = false;
            yaml.Append(Scalar(key)).Append(':');
            if (value is JsonObject { Count: > 0 } nested)
            {
                yaml.Append('\n');
                WriteMap(yaml, nested, indentation + 2, firstIndented: false);
            }
            else if (value is JsonArray list && list.Any(item => item is JsonObject))
            {
                yaml.Append('\n');
                foreach (var item in list)
                {
                    yaml.Append(' ', indentation + 2).Append("- ");
                    if (item is JsonObject { Count: > 0 } entry) WriteMap(yaml, entry, indentation + 4, firstIndented: true);
                    else yaml.Append(Inline(item)).Append('\n');
                }
            }
            else
            {
                yaml.Append(' ').Append(Inline(value)).Append('\n');
            }
        }
    }

    private static string Scalar(string text)
    {
        if (Plain().IsMatch(text) && !Reserved().IsMatch(text)) return text;
        var quoted = new StringBuilder("\"");
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            bool pair = char.IsHighSurrogate(c) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]);
            if (pair) quoted.Append(c).Append(text[++i]);
            else if (c is '"' or '\\') quoted.Append('\\').Append(c);
            else if (c == '\n') quoted.Append("\\n");
            else if (char.IsControl(c) || char.IsSurrogate(c) || c is '\u2028' or '\u2029' or '\uFEFF' or '\uFFFE' or '\uFFFF')
                quoted.Append(CultureInfo.InvariantCulture, $"\\u{(char.IsSurrogate(c) ? 0xFFFD : c):x4}");
            else quoted.Append(c);
        }
        return quoted.Append('"').ToString();
    }

    [GeneratedRegex("^[A-Za-z_][A-Za-z0-9_./-]*\\z")]
    private static partial Regex Plain();

    // Words YAML 1.1 gives another meaning; quoting them costs nothing.
    [GeneratedRegex("^(true|false|yes|no|on|off|y|n|null|nan|inf)$", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Reserved();
}

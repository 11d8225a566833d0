using System.Collections;
using System.Globalization;
using System.Reflection;

namespace Finery.Training.Optimizers;

/// <summary>A settings record in words: every setting by name, nested ones and lists included, numbers to the last bit. New settings come
/// in by themselves, so that a checkpoint of other settings is never taken for one of these.</summary>
internal static class SettingsText
{
    public static string Of(object? value) => value switch
    {
        null => "none",
        string text => text,
        double number => number.ToString("R", CultureInfo.InvariantCulture),
        Enum or bool => value.ToString()!,
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        IEnumerable list => $"[{string.Join(", ", list.Cast<object?>().Select(Of))}]",
        _ => $"{value.GetType().Name}({string.Join(" ", Properties(value))})",
    };

    private static IEnumerable<string> Properties(object value) => value.GetType()
        .GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(property => property.SetMethod is not null)
        .OrderBy(property => property.Name, StringComparer.Ordinal).Select(property => $"{property.Name}={Of(property.GetValue(value))}");
}

using System.Globalization;
using System.Text.RegularExpressions;

namespace Finery.Workflow.Recipes;

/// <summary>Text of a scalar to a value of the type a setting has, in no one's culture.</summary>
internal static partial class ScalarText
{
    private static readonly Type[] Whole =
        [typeof(byte), typeof(sbyte), typeof(short), typeof(ushort), typeof(int), typeof(uint), typeof(long), typeof(ulong)];

    private static readonly Type[] Fractional = [typeof(float), typeof(double), typeof(decimal)];

    public static bool IsWhole(Type type) => Whole.Contains(type);

    public static bool IsNumber(Type type) => IsWhole(type) || Fractional.Contains(type);

    public static bool IsScalar(Type type) =>
        IsNumber(type) || type.IsEnum || type == typeof(bool) || type == typeof(string) || type == typeof(TimeSpan);

    /// <returns>The value, or null and what was expected instead.</returns>
    public static object? Read(Type type, string text, out string expected, out string? suggestion)
    {
        suggestion = null;
        expected = StepSetting.Describe(type, RecipeSchema.Default);
        if (type == typeof(string)) return text;
        text = text.Trim();
        if (text.Length > 64) return null;
        if (type.IsEnum) return ReadEnum(type, text, out expected, out suggestion);
        if (type == typeof(bool)) return ReadBool(text);
        if (type == typeof(TimeSpan)) return ReadDuration(text);
        text = Digits().IsMatch(text) ? text.Replace("_", "") : text;
        return IsWhole(type) ? ReadWhole(type, text, ref expected) : ReadFractional(type, text, ref expected);
    }

    /// <summary>How <see cref="Read"/> takes a value back.</summary>
    public static string Write(TimeSpan duration) => duration.ToString("c", CultureInfo.InvariantCulture);

    private static object? ReadBool(string text) => text.ToLowerInvariant() switch
    {
        "true" or "yes" or "on" => true,
        "false" or "no" or "off" => false,
        _ => null,
    };

    private static object? ReadEnum(Type type, string text, out string expected, out string? suggestion)
    {
        var names = Enum.GetNames(type);
        expected = "one of " + string.Join(", ", StepSetting.EnumNames(type));
        string? name = Array.Find(names, name => StepSetting.SnakeCase(name) == text);
        suggestion = name is null ? NearestWord.Of(text, StepSetting.EnumNames(type)) : null;
        return name is null ? null : Enum.Parse(type, name);
    }

    /// <summary>Also <c>1e6</c> and <c>2.0</c>, which are whole.</summary>
    private static object? ReadWhole(Type type, string text, ref string expected)
    {
        const NumberStyles Style = NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;
        if (!decimal.TryParse(text, Style, CultureInfo.InvariantCulture, out decimal value) || value != decimal.Truncate(value))
            return null;
        decimal low = Limit(type, "MinValue"), high = Limit(type, "MaxValue");
        if (value >= low && value <= high) return Convert.ChangeType(value, type, CultureInfo.InvariantCulture);
        expected = string.Create(CultureInfo.InvariantCulture, $"whole number from {low} to {high}");
        return null;
    }

    private static decimal Limit(Type type, string field) =>
        Convert.ToDecimal(type.GetField(field)!.GetValue(null), CultureInfo.InvariantCulture);

    private static object? ReadFractional(Type type, string text, ref string expected)
    {
        const NumberStyles Style = NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;
        if (type == typeof(decimal))
            return decimal.TryParse(text, Style, CultureInfo.InvariantCulture, out decimal exact) ? exact : null;
        double value;
        if (Infinity().Match(text) is { Success: true } infinity)
            value = infinity.Groups[1].Value == "-" ? double.NegativeInfinity : double.PositiveInfinity;
        else if (!Number().IsMatch(text)) return null;
        else value = double.Parse(text, Style, CultureInfo.InvariantCulture);
        if (type == typeof(double) && (double.IsFinite(value) || Infinity().IsMatch(text))) return value;
        // Parsed again rather than narrowed: narrowing would round twice.
        if (type == typeof(float) && Infinity().IsMatch(text)) return (float)value;
        if (type == typeof(float) && float.Parse(text, Style, CultureInfo.InvariantCulture) is var narrow
            && float.IsFinite(narrow)) return narrow;
        expected = $"number a {(type == typeof(float) ? "float" : "double")} can hold";
        return null;
    }

    /// <summary><c>90s</c>, <c>1h30m</c>, <c>250ms</c>, <c>0.5h</c>, or <c>[d.]hh:mm:ss</c>.</summary>
    private static object? ReadDuration(string text)
    {
        if (text.Contains(':')) return TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out var time) ? time : null;
        var match = Duration().Match(text);
        if (!match.Success || text.Length == 0) return null;
        double ticks = 0;
        long[] units = [TimeSpan.TicksPerDay, TimeSpan.TicksPerHour, TimeSpan.TicksPerMinute, TimeSpan.TicksPerSecond,
            TimeSpan.TicksPerMillisecond];
        for (int i = 0; i < units.Length; i++)
            if (match.Groups[i + 1] is { Success: true } part)
                ticks += double.Parse(part.Value, CultureInfo.InvariantCulture) * units[i];
        return ticks < long.MaxValue ? TimeSpan.FromTicks((long)Math.Round(ticks)) : null;
    }

    [GeneratedRegex(@"^[-+.0-9eE]*[0-9](_[0-9]+)+[.0-9eE+-]*$")]
    private static partial Regex Digits();

    [GeneratedRegex(@"^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,5})?$")]
    private static partial Regex Number();

    [GeneratedRegex(@"^([-+]?)\.?(?:inf|Inf|infinity)$")]
    private static partial Regex Infinity();

    private const string Amount = @"([0-9]+(?:\.[0-9]+)?)";

    [GeneratedRegex($"^(?:{Amount}d)?(?:{Amount}h)?(?:{Amount}m)?(?:{Amount}s)?(?:{Amount}ms)?$")]
    private static partial Regex Duration();
}

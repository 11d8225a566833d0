using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Finery.Data.Deduplication;

/// <summary>How much a document is to be preferred for a metadata value, as a number: the larger the better.</summary>
internal static class Preference
{
    /// <summary>Order of a metadata value: numbers and dates as such, other texts by their first 8 bytes; 0 without
    /// one.</summary>
    public static ulong Of(JsonNode? node)
    {
        if (node is not JsonValue value)
            return 0;
        if (value.GetValueKind() == JsonValueKind.Number)
            return OfNumber(double.Parse(value.ToJsonString(), CultureInfo.InvariantCulture));
        if (value.GetValueKind() != JsonValueKind.String)
            return 0;
        var text = value.GetValue<string>();
        if (DateOf(text) is { } date)
            return OfNumber(date.Ticks);
        Span<byte> start = stackalloc byte[8];
        start.Clear();
        var bytes = Encoding.UTF8.GetBytes(text);
        bytes.AsSpan(0, Math.Min(8, bytes.Length)).CopyTo(start);
        return Math.Max(1, BinaryPrimitives.ReadUInt64BigEndian(start));
    }

    /// <summary>A date as the crawls write it, in universal time; null if it is none.</summary>
    public static DateTime? DateOf(string? text) => DateTimeOffset.TryParse(
        text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var date) ? date.UtcDateTime : null;

    // Doubles order as their bits do, once negative ones are turned round.
    private static ulong OfNumber(double number)
    {
        var bits = BitConverter.DoubleToUInt64Bits(number);
        return (bits >> 63) != 0 ? ~bits : bits | (1UL << 63);
    }
}

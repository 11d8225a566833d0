using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Finery.Data.Filters;

namespace Finery.Data.Deduplication.MinHash;

/// <summary>Which document of a cluster is kept.</summary>
public enum KeptCopy
{
    /// <summary>The first in the corpus.</summary>
    First,

    /// <summary>The last in the corpus.</summary>
    Last,

    /// <summary>The longest, in code points; of equals the first.</summary>
    Longest,

    /// <summary>The one that datatrove's union by size ends with.</summary>
    Root,

    /// <summary>The one with the highest value of a metadata key (a number, a date, else a text by its first 8 bytes; none is
    /// lowest); of equals the first.</summary>
    Highest,
}

/// <summary>How much a document is to be preferred, as a number.</summary>
internal static class Preference
{
    /// <summary>The larger the better.</summary>
    public static ulong Of(Document document, KeptCopy kept, string key) => kept switch
    {
        KeptCopy.Longest => (ulong)CharacterSets.Length(document.Text),
        KeptCopy.Highest => OfValue(document.Metadata[key]),
        _ => 0,
    };

    /// <summary>Order of a metadata value: numbers and dates as such, other texts by their first 8 bytes; 0 without one.</summary>
    public static ulong OfValue(JsonNode? node)
    {
        if (node is not JsonValue value)
            return 0;
        if (value.GetValueKind() == JsonValueKind.Number)
            return OfNumber(double.Parse(value.ToJsonString(), CultureInfo.InvariantCulture));
        if (value.GetValueKind() != JsonValueKind.String)
            return 0;
        var text = value.GetValue<string>();
        if (DateTimeOffset.TryParse(
            text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var date))
            return OfNumber(date.UtcTicks);
        Span<byte> start = stackalloc byte[8];
        start.Clear();
        var bytes = Encoding.UTF8.GetBytes(text);
        bytes.AsSpan(0, Math.Min(8, bytes.Length)).CopyTo(start);
        return Math.Max(1, BinaryPrimitives.ReadUInt64BigEndian(start));
    }

    // Doubles order as their bits do, once negative ones are turned round.
    private static ulong OfNumber(double number)
    {
        var bits = BitConverter.DoubleToUInt64Bits(number);
        return (bits >> 63) != 0 ? ~bits : bits | (1UL << 63);
    }
}

namespace Finery.Models.Weights;

/// <summary>Element types of the safetensors format.</summary>
internal static class SafeTensorTypes
{
    // In the format's own order, which is by alignment: its writers store the last of these first.
    private static readonly (string Name, int Bits)[] Ordered =
    [
        ("BOOL", 8), ("F4", 4), ("F6_E2M3", 6), ("F6_E3M2", 6), ("U8", 8), ("I8", 8), ("F8_E5M2", 8), ("F8_E4M3", 8), ("F8_E8M0", 8),
        ("F8_E4M3FNUZ", 8), ("F8_E5M2FNUZ", 8), ("I16", 16), ("U16", 16), ("F16", 16), ("BF16", 16), ("I32", 32), ("U32", 32),
        ("F32", 32), ("C64", 64), ("F64", 64), ("I64", 64), ("U64", 64),
    ];

    private static readonly Dictionary<string, (int Rank, int Bits)> Known = Ordered.Index()
        .ToDictionary(type => type.Item.Name, type => (type.Index, type.Item.Bits), StringComparer.Ordinal);

    /// <summary>Spellings, least aligned first.</summary>
    public static IEnumerable<string> Names => Ordered.Select(type => type.Name);

    /// <summary>Whether there is such a type.</summary>
    public static bool Has(string name) => Known.ContainsKey(name);

    /// <summary>Bits of an element.</summary>
    public static int Bits(string name) => Known[name].Bits;

    /// <summary>Place in the format's order.</summary>
    public static int Rank(string name) => Known[name].Rank;

    /// <summary>Bytes of a tensor.</summary>
    /// <param name="type">A known type.</param>
    /// <param name="shape">Dimensions, not negative.</param>
    /// <param name="bytes">Of the whole.</param>
    /// <returns>What is wrong, or null.</returns>
    public static string? Size(string type, IReadOnlyList<long> shape, out long bytes)
    {
        bytes = 0;
        try
        {
            long bits = Bits(type);
            foreach (long dimension in shape) bits = checked(bits * dimension);
            bytes = bits / 8;
            return bits % 8 == 0 ? null : $"{bits} bits are not whole bytes.";
        }
        catch (OverflowException)
        {
            return $"the shape [{string.Join(", ", shape)}] overflows.";
        }
    }
}

namespace Finery.Models.Weights;

/// <summary>Kinds of value in a GGUF file, by their numbers there.</summary>
internal enum GgufValueType : uint
{
    UInt8, Int8, UInt16, Int16, UInt32, Int32, Float32, Bool, String, Array, UInt64, Int64, Float64,
}

/// <summary>How tensors are stored in GGUF files: in blocks of elements along the contiguous dimension, each of so many bytes.</summary>
internal static class GgufTypes
{
    // Numbers and block layouts as ggml fixes them; the gaps are types it has dropped.
    private static readonly (uint Id, string Name, int Elements, int Bytes)[] All =
    [
        (0, "F32", 1, 4), (1, "F16", 1, 2), (2, "Q4_0", 32, 18), (3, "Q4_1", 32, 20), (6, "Q5_0", 32, 22), (7, "Q5_1", 32, 24),
        (8, "Q8_0", 32, 34), (9, "Q8_1", 32, 36), (10, "Q2_K", 256, 84), (11, "Q3_K", 256, 110), (12, "Q4_K", 256, 144),
        (13, "Q5_K", 256, 176), (14, "Q6_K", 256, 210), (15, "Q8_K", 256, 292), (16, "IQ2_XXS", 256, 66), (17, "IQ2_XS", 256, 74),
        (18, "IQ3_XXS", 256, 98), (19, "IQ1_S", 256, 50), (20, "IQ4_NL", 32, 18), (21, "IQ3_S", 256, 110), (22, "IQ2_S", 256, 82),
        (23, "IQ4_XS", 256, 136), (24, "I8", 1, 1), (25, "I16", 1, 2), (26, "I32", 1, 4), (27, "I64", 1, 8), (28, "F64", 1, 8),
        (29, "IQ1_M", 256, 56), (30, "BF16", 1, 2), (34, "TQ1_0", 256, 54), (35, "TQ2_0", 256, 66), (39, "MXFP4", 32, 17),
    ];

    /// <summary>Name of a type, or null for a number not known.</summary>
    public static string? Name(uint id) => All.FirstOrDefault(type => type.Id == id).Name;

    /// <summary>Number of a type, or null for a name not known.</summary>
    public static uint? Id(string name) => All.Any(type => type.Name == name) ? All.First(type => type.Name == name).Id : null;

    /// <summary>Bytes of a tensor.</summary>
    /// <param name="name">A known type.</param>
    /// <param name="shape">Dimensions, outermost first.</param>
    /// <param name="bytes">Of the whole.</param>
    /// <returns>What is wrong, or null.</returns>
    public static string? Size(string name, IReadOnlyList<long> shape, out long bytes)
    {
        bytes = 0;
        var type = All.First(type => type.Name == name);
        long contiguous = shape.Count > 0 ? shape[^1] : 1;
        if (contiguous % type.Elements != 0)
            return $"the contiguous dimension {contiguous} is not a multiple of the {type.Elements} elements of a {name} block.";
        try
        {
            // Elements first: their number must fit 63 bits whatever the type.
            long elements = 1;
            foreach (long dimension in shape) elements = checked(elements * dimension);
            bytes = checked(elements / type.Elements * type.Bytes);
            return null;
        }
        catch (OverflowException)
        {
            return $"the shape [{string.Join(", ", shape)}] overflows.";
        }
    }
}

namespace Finery.Tensors;

/// <summary>What this machine has for bfloat16 products besides the code that runs everywhere.</summary>
public static class NativeProducts
{
    /// <summary>Why the processor's bfloat16 instructions are not used; null where they are.</summary>
    public static string? Bf16UnsupportedReason => Bf16MicroKernel.UnsupportedReason;

    /// <summary>Version of the oneDNN that was found, or null and the reason.</summary>
    public static string? OneDnnVersion(out string? reason)
    {
        using var library = OneDnn.Load(out reason);
        return library?.Version.ToString();
    }
}

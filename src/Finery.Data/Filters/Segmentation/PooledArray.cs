namespace Finery.Data.Filters.Segmentation;

/// <summary>When arrays that serve text after text are replaced: when they are too small, or far too large for ordinary
/// texts.</summary>
internal static class PooledArray
{
    // Elements kept for the next text; what a huge text took is let go.
    private const int SmallLength = 1 << 22;

    /// <summary>Whether an array is to be replaced by one of <see cref="Capacity"/>.</summary>
    public static bool MustGrow(Array array, int needed) =>
        array.Length < needed || (array.Length > 2 * SmallLength && needed <= SmallLength);

    /// <summary>Length to allocate.</summary>
    public static int Capacity(int needed) => (int)Math.Min(Array.MaxLength, Math.Max(4096, needed + (long)needed / 2));
}

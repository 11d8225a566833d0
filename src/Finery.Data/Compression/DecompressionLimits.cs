namespace Finery.Data.Compression;

/// <summary>What compressed input may claim before it is taken for an attack on memory or disk.</summary>
public sealed record DecompressionLimits
{
    /// <summary>Most bytes one file may decompress to; 0 for any number.</summary>
    public long MaxBytes { get; init; }

    /// <summary>Most bytes out for a byte in, once <see cref="FreeBytes"/> are out; 0 for any ratio. Text compresses to a
    /// third, markup to a tenth.</summary>
    public double MaxRatio { get; init; } = 200;

    /// <summary>So many bytes may come out at any ratio.</summary>
    public long FreeBytes { get; init; } = 1 << 20;

    /// <summary>Largest Zstandard window accepted, in bytes.</summary>
    public long MaxWindowBytes { get; init; } = ZstdReadStream.DefaultMaxWindowBytes;
}

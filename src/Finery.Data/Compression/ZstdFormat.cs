namespace Finery.Data.Compression;

/// <summary>Constants of the Zstandard format (RFC 8878, section 3).</summary>
internal static class ZstdFormat
{
    public const uint Magic = 0xFD2FB528;
    public const uint SkippableMagic = 0x184D2A50;
    public const uint SkippableMask = 0xFFFFFFF0;
    public const int MaxBlockBytes = 128 << 10;
    public const int MaxHuffmanBits = 11;
    public const int MaxWeightLog = 6;
    public const int MaxLengthLog = 9;
    public const int MaxOffsetLog = 8;
    public const int LiteralLengthCodes = 36;
    public const int MatchLengthCodes = 53;
    public const int OffsetCodes = 32;

    /// <summary>What a literal length code stands for, before its extra bits.</summary>
    public static ReadOnlySpan<int> LiteralLengthBases =>
    [
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 24, 28, 32, 40, 48, 64, 128, 256, 512, 1024, 2048,
        4096,
        8192, 16384, 32768, 65536,
    ];

    /// <summary>Extra bits of a literal length code.</summary>
    public static ReadOnlySpan<byte> LiteralLengthBits =>
    [
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
    ];

    /// <summary>What a match length code stands for, before its extra bits.</summary>
    public static ReadOnlySpan<int> MatchLengthBases =>
    [
        3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34,
        35, 37,
        39, 41, 43, 47, 51, 59, 67, 83, 99, 131, 259, 515, 1027, 2051, 4099, 8195, 16387, 32771, 65539,
    ];

    /// <summary>Extra bits of a match length code.</summary>
    public static ReadOnlySpan<byte> MatchLengthBits =>
    [
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3,
        4, 4, 5,
        7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
    ];

    public const int DefaultLengthLog = 6;
    public const int DefaultOffsetLog = 5;

    public static ReadOnlySpan<short> DefaultLiteralLengths =>
    [
        4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1,
    ];

    public static ReadOnlySpan<short> DefaultMatchLengths =>
    [
        1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
        1, 1, 1,
        1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
    ];

    public static ReadOnlySpan<short> DefaultOffsets =>
    [
        1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1,
    ];
}

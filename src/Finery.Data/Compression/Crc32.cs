using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Finery.Data.Compression;

/// <summary>The checksum of gzip (RFC 1952 section 8) and of Parquet pages, eight bytes a step.</summary>
internal static class Crc32
{
    private static readonly uint[] s_table = BuildTable();

    public static uint Of(ReadOnlySpan<byte> data) => Append(0, data);

    /// <summary>Goes on from the checksum of what came before, 0 at the start.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static uint Append(uint before, ReadOnlySpan<byte> data)
    {
        ReadOnlySpan<uint> table = s_table;
        var crc = ~before;
        for (; data.Length >= 8; data = data[8..])
        {
            var low = BinaryPrimitives.ReadUInt32LittleEndian(data) ^ crc;
            var high = BinaryPrimitives.ReadUInt32LittleEndian(data[4..]);
            crc = table[(7 * 256) + (byte)low] ^ table[(6 * 256) + (byte)(low >> 8)]
                ^ table[(5 * 256) + (byte)(low >> 16)] ^ table[(4 * 256) + (int)(low >> 24)]
                ^ table[(3 * 256) + (byte)high] ^ table[(2 * 256) + (byte)(high >> 8)]
                ^ table[256 + (byte)(high >> 16)] ^ table[(int)(high >> 24)];
        }
        foreach (var value in data)
            crc = table[(byte)(crc ^ value)] ^ (crc >> 8);
        return ~crc;
    }

    private static uint[] BuildTable()
    {
        var table = new uint[8 * 256];
        for (uint i = 0; i < 256; i++)
        {
            var crc = i;
            for (var bit = 0; bit < 8; bit++)
                crc = (crc >> 1) ^ ((crc & 1) * 0xEDB88320u);
            table[i] = crc;
        }
        for (var i = 256; i < table.Length; i++)
            table[i] = (table[i - 256] >> 8) ^ table[(byte)table[i - 256]];
        return table;
    }
}

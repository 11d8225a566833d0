using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Finery.Data.Compression;

/// <summary>The checksum of gzip (RFC 1952 section 8) and of Parquet pages, sixteen bytes a step.</summary>
internal static unsafe class Crc32
{
    private static readonly uint[] s_table = BuildTable();

    public static uint Of(ReadOnlySpan<byte> data) => Append(0, data);

    /// <summary>Goes on from the checksum of what came before, 0 at the start.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static uint Append(uint before, ReadOnlySpan<byte> data)
    {
        var crc = ~before;
        fixed (uint* table = s_table)
        {
            for (; data.Length >= 16; data = data[16..])
            {
                var low = BinaryPrimitives.ReadUInt64LittleEndian(data) ^ crc;
                var high = BinaryPrimitives.ReadUInt64LittleEndian(data[8..]);
                crc = Eight(table + (8 * 256), low) ^ Eight(table, high);
            }
            foreach (var value in data)
                crc = table[(byte)(crc ^ value)] ^ (crc >> 8);
        }
        return ~crc;
    }

    /// <summary>What eight bytes add to the checksum; the tables from the last byte's on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Eight(uint* table, ulong bytes) =>
        table[(7 * 256) + (byte)bytes] ^ table[(6 * 256) + (byte)(bytes >> 8)]
        ^ table[(5 * 256) + (byte)(bytes >> 16)] ^ table[(4 * 256) + (byte)(bytes >> 24)]
        ^ table[(3 * 256) + (byte)(bytes >> 32)] ^ table[(2 * 256) + (byte)(bytes >> 40)]
        ^ table[256 + (byte)(bytes >> 48)] ^ table[bytes >> 56];

    private static uint[] BuildTable()
    {
        var table = new uint[16 * 256];
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

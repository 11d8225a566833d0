using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Finery.Data.Writers;
using Microsoft.Win32.SafeHandles;

namespace Finery.Data.Deduplication.Sorting;

/// <summary>
/// Files of fixed-size records and nothing else, so that other programs can read them. Length and checksum stand in a file of the
/// same name with <c>.sum</c> added: a file that is cut short or changed is found when it is opened or read.
/// </summary>
internal static class RecordFile
{
    /// <summary>The checksum runs over blocks of this size, each seeded by the one before.</summary>
    internal const int BlockBytes = 1 << 16;

    internal static string SumOf(string path) => path + ".sum";

    /// <summary>Number of records.</summary>
    /// <exception cref="InvalidDataException">The file is missing, cut short, or of other records.</exception>
    public static long Count(string path, int recordBytes)
    {
        var (length, _) = ReadSum(path);
        var actual = new FileInfo(path) is { Exists: true } file ? file.Length : -1;
        if (actual != length)
            throw Damaged(path, actual < 0 ? "it is missing" : $"it has {actual} bytes, and {length} were written");
        return length % recordBytes == 0
            ? length / recordBytes
            : throw Damaged(path, $"{length} bytes are no multiple of records of {recordBytes}");
    }

    /// <summary>Reads a file whole and compares its checksum.</summary>
    /// <exception cref="InvalidDataException">It is not what was written.</exception>
    public static void Verify(string path)
    {
        Count(path, 1);
        using var handle = File.OpenHandle(path, options: FileOptions.SequentialScan);
        var block = new byte[BlockBytes];
        ulong hash = 0;
        for (long position = 0; ReadBlock(handle, block, position) is > 0 and var read; position += read)
            hash = XxHash64.Hash(block.AsSpan(0, read), hash);
        if (hash != ReadSum(path).Hash)
            throw Damaged(path, "its checksum differs");
    }

    /// <summary>The records of a file in order.</summary>
    public static IEnumerable<T> ReadAll<T>(string path)
        where T : unmanaged => ReadAll<T>(path, 0, Count(path, Unsafe.SizeOf<T>()));

    /// <summary>Records [from, to) of a file.</summary>
    public static IEnumerable<T> ReadAll<T>(string path, long from, long to)
        where T : unmanaged
    {
        var source = new RecordSource(path, Unsafe.SizeOf<T>(), from, to);
        source.Prepare(BlockBytes);
        try
        {
            while (source.MoveNext(keepOpen: true))
                yield return MemoryMarshal.Read<T>(source.Current);
        }
        finally
        {
            source.Close();
        }
    }

    /// <summary>Position of the first record that is not below, in a file that is sorted that way.</summary>
    /// <param name="path">The file.</param>
    /// <param name="recordBytes">Bytes of a record.</param>
    /// <param name="isBelow">True for a first part of the records, false for the rest.</param>
    public static long LowerBound(string path, int recordBytes, Predicate<byte[]> isBelow)
    {
        long from = 0, to = Count(path, recordBytes);
        if (to == 0)
            return 0;
        using var handle = File.OpenHandle(path, options: FileOptions.RandomAccess);
        var record = new byte[recordBytes];
        while (from < to)
        {
            var middle = from + (to - from) / 2;
            ReadExactly(handle, record, middle * recordBytes, path);
            if (isBelow(record))
                from = middle + 1;
            else
                to = middle;
        }
        return from;
    }

    /// <exception cref="InvalidDataException">The file ends before.</exception>
    public static void ReadExactly(SafeFileHandle handle, Span<byte> destination, long position, string path)
    {
        if (ReadBlock(handle, destination, position) < destination.Length)
            throw Damaged(path, "it ends early");
    }

    internal static void WriteSum(string path, long length, ulong hash)
    {
        var sum = new byte[16];
        BinaryPrimitives.WriteInt64LittleEndian(sum, length);
        BinaryPrimitives.WriteUInt64LittleEndian(sum.AsSpan(8), hash);
        AtomicFile.Write(SumOf(path), stream => stream.Write(sum));
    }

    internal static InvalidDataException Damaged(string path, string how) => new(
        $"'{path}' is damaged: {how}. Delete it and run the task that writes it again.");

    private static (long Length, ulong Hash) ReadSum(string path)
    {
        if (!File.Exists(SumOf(path)))
            throw Damaged(path, "its '.sum' file is missing, so it may not be complete");
        var sum = File.ReadAllBytes(SumOf(path));
        return sum.Length == 16
            ? (BinaryPrimitives.ReadInt64LittleEndian(sum), BinaryPrimitives.ReadUInt64LittleEndian(sum.AsSpan(8)))
            : throw Damaged(SumOf(path), $"it has {sum.Length} bytes, not 16");
    }

    private static int ReadBlock(SafeFileHandle handle, Span<byte> block, long position)
    {
        var total = 0;
        while (total < block.Length && RandomAccess.Read(handle, block[total..], position + total) is > 0 and var read)
            total += read;
        return total;
    }
}

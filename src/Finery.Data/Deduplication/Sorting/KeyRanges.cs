using System.Globalization;
using System.Runtime.InteropServices;
using Finery.Data.Writers;

namespace Finery.Data.Deduplication.Sorting;

/// <summary>Cuts sorted files whose records begin with a hash, a u64, into ranges of about equal size for separate
/// tasks.</summary>
internal static class KeyRanges
{
    private const long RecordsPerRange = 8_000_000;
    private const int MostRanges = 256;

    /// <summary>How many ranges for a number of records.</summary>
    public static int Count(long records) => (int)Math.Clamp(records / RecordsPerRange + 1, 1, MostRanges);

    /// <summary>Records of all files together.</summary>
    public static long Records<T>(IEnumerable<string> paths)
        where T : unmanaged, IComparable<T> => paths.Sum(p => RecordFile.Count(p, default(StructOrder<T>).RecordBytes));

    /// <summary>Writes down how many ranges there are, for <see cref="Saved"/>.</summary>
    public static void Save(string folder, int ranges) =>
        AtomicFile.WriteText(PathIn(folder), ranges.ToString(CultureInfo.InvariantCulture));

    /// <summary>How many ranges there are. Counting again would take a look at every part's file.</summary>
    public static int Saved(string folder) => int.Parse(File.ReadAllText(PathIn(folder)), CultureInfo.InvariantCulture);

    /// <summary>Merges one range of the files, in whose order equal records come.</summary>
    public static RecordMerge<StructOrder<T>> Merge<T>(IEnumerable<string> paths, int range, int ranges, long memoryBytes)
        where T : unmanaged, IComparable<T>
    {
        var bytes = default(StructOrder<T>).RecordBytes;
        return new(default, [.. paths.Select(p => new RecordSource(p, bytes, Cut(p, range), Cut(p, range + 1)))], memoryBytes);

        long Cut(string path, int at)
        {
            if (at == ranges)
                return RecordFile.Count(path, bytes);
            var bound = (ulong)(((UInt128)at << 64) / (uint)ranges);
            return at == 0 ? 0 : RecordFile.LowerBound(path, bytes, record => MemoryMarshal.Read<ulong>(record) < bound);
        }
    }

    private static string PathIn(string folder) => Path.Combine(folder, "ranges.txt");
}

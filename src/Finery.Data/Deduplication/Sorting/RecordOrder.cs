using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Finery.Data.Deduplication.Sorting;

/// <summary>How records of a fixed size compare. A struct, so that sorting and merging are compiled for each.</summary>
internal interface IRecordOrder
{
    /// <summary>Bytes of a record.</summary>
    int RecordBytes { get; }

    /// <summary>Less than, equal to or greater than zero.</summary>
    int Compare(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b);
}

/// <summary>A struct's own order; its bytes in memory, little-endian, are the record.</summary>
internal readonly struct StructOrder<T> : IRecordOrder
    where T : unmanaged, IComparable<T>
{
    public int RecordBytes => Unsafe.SizeOf<T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Compare(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b) =>
        MemoryMarshal.Read<T>(a).CompareTo(MemoryMarshal.Read<T>(b));
}

using System.Buffers.Binary;
using Finery.Data.Deduplication.Sorting;

namespace Finery.Data.Deduplication.MinHash;

/// <summary>Signature records (hashes, then the document's index) or index records (hashes alone) by their hashes.</summary>
internal readonly struct SignatureOrder(int hashes, int hashBytes, int recordBytes) : IRecordOrder
{
    public int RecordBytes => recordBytes;

    public int Compare(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        for (var i = 0; i < hashes; i++)
        {
            var (x, y) = (Read(a, i, hashBytes), Read(b, i, hashBytes));
            if (x != y)
                return x < y ? -1 : 1;
        }
        return 0;
    }

    /// <summary>Hash number <paramref name="i"/> of a record.</summary>
    public static ulong Read(ReadOnlySpan<byte> record, int i, int hashBytes) => hashBytes == 8
        ? BinaryPrimitives.ReadUInt64LittleEndian(record[(i * 8)..])
        : BinaryPrimitives.ReadUInt32LittleEndian(record[(i * 4)..]);
}

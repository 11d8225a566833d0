namespace Finery.Data.Deduplication;

/// <summary>Part and index of a document in one number, which orders as the documents do.</summary>
internal static class DocumentPosition
{
    private const int IndexBits = 40;

    /// <summary>No document's position.</summary>
    public const ulong None = ulong.MaxValue;

    public static ulong Pack(int part, long index) =>
        part < 1 << (63 - IndexBits) && index < 1L << IndexBits
            ? ((ulong)part << IndexBits) | (ulong)index
            : throw new InvalidOperationException(
                $"Document {index} of part {part} is out of range: a corpus has up to {1 << (63 - IndexBits)} parts of "
                + $"{1L << IndexBits} documents.");

    public static int Part(ulong position) => (int)(position >> IndexBits);

    public static long Index(ulong position) => (long)(position & ((1UL << IndexBits) - 1));
}

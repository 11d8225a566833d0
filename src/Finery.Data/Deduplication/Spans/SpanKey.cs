using System.Runtime.InteropServices;
using Finery.Data.Deduplication.Sorting;

namespace Finery.Data.Deduplication.Spans;

/// <summary>A piece of a document, or several in a row, under the hash of what they say.</summary>
/// <param name="Key">The hash.</param>
/// <param name="Position">Of the document.</param>
/// <param name="First">Number of the first piece in it.</param>
[StructLayout(LayoutKind.Sequential, Pack = 4)]
internal readonly record struct SpanKey(ulong Key, ulong Position, uint First) : IComparable<SpanKey>
{
    public int CompareTo(SpanKey other) =>
        Key != other.Key ? Key.CompareTo(other.Key)
        : Position != other.Position ? Position.CompareTo(other.Position)
        : First.CompareTo(other.First);
}

/// <summary>A piece to be removed.</summary>
/// <param name="Position">Of the document.</param>
/// <param name="First">Number of the (first) piece in it.</param>
[StructLayout(LayoutKind.Sequential, Pack = 4)]
internal readonly record struct Removal(ulong Position, uint First) : IComparable<Removal>, IOfDocument
{
    public int CompareTo(Removal other) =>
        Position != other.Position ? Position.CompareTo(other.Position) : First.CompareTo(other.First);
}

using System.Runtime.InteropServices;
using Finery.Data.Deduplication.Sorting;

namespace Finery.Data.Deduplication;

/// <summary>A document of a cluster, sorted by position.</summary>
/// <param name="Position">Of the document.</param>
/// <param name="Kept">Position of the one kept of its cluster; none if it matches the index.</param>
/// <param name="Size">Members of the cluster.</param>
[StructLayout(LayoutKind.Sequential, Pack = 4)]
internal readonly record struct Member(ulong Position, ulong Kept, uint Size) : IComparable<Member>, IOfDocument
{
    public int CompareTo(Member other) => Position.CompareTo(other.Position);
}

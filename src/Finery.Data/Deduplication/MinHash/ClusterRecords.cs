using System.Runtime.InteropServices;
using Finery.Data.Deduplication.Sorting;

namespace Finery.Data.Deduplication.MinHash;

/// <summary>A member of a cluster, sorted by cluster, the preferred one first.</summary>
/// <param name="Avoidance">The least is kept.</param>
/// <param name="Position">Of the document.</param>
/// <param name="Root">Number of the cluster.</param>
/// <param name="Size">Its members.</param>
[StructLayout(LayoutKind.Sequential, Pack = 4)]
internal readonly record struct Candidate(ulong Avoidance, ulong Position, uint Root, uint Size) : IComparable<Candidate>
{
    public int CompareTo(Candidate other) =>
        Root != other.Root ? Root.CompareTo(other.Root)
        : Avoidance != other.Avoidance ? Avoidance.CompareTo(other.Avoidance)
        : Position.CompareTo(other.Position);
}

/// <summary>What was found of a document, sorted by position.</summary>
/// <param name="Position">Of the document.</param>
/// <param name="Kept">Position of the one kept of its cluster; none if it matches the index.</param>
/// <param name="Size">Members of the cluster.</param>
[StructLayout(LayoutKind.Sequential, Pack = 4)]
internal readonly record struct Member(ulong Position, ulong Kept, uint Size) : IComparable<Member>, IOfDocument
{
    public int CompareTo(Member other) => Position.CompareTo(other.Position);
}

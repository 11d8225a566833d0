using System.Runtime.InteropServices;

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

using System.Runtime.InteropServices;

namespace Finery.Data.Deduplication.Exact;

/// <summary>A document under the hash of what makes it equal to others; of equals the preferred one comes first.</summary>
/// <param name="High">Half of the hash.</param>
/// <param name="Low">The other half.</param>
/// <param name="Avoidance">The least is kept; 0 stands for an index.</param>
/// <param name="Position">Of the document.</param>
[StructLayout(LayoutKind.Sequential, Pack = 8)]
internal readonly record struct KeyedDocument(ulong High, ulong Low, ulong Avoidance, ulong Position) : IComparable<KeyedDocument>
{
    public int CompareTo(KeyedDocument other) =>
        High != other.High ? High.CompareTo(other.High)
        : Low != other.Low ? Low.CompareTo(other.Low)
        : Avoidance != other.Avoidance ? Avoidance.CompareTo(other.Avoidance)
        : Position.CompareTo(other.Position);

    public bool HasKeyOf(KeyedDocument other) => High == other.High && Low == other.Low;
}

using System.Runtime.InteropServices;
using Finery.Data.Deduplication.Sorting;

namespace Finery.Data.Deduplication.Substrings;

/// <summary>A window of tokens under the hash of what it says.</summary>
/// <param name="High">Half of the hash.</param>
/// <param name="Low">The other half.</param>
/// <param name="Position">Of the document.</param>
/// <param name="First">Number of its first token.</param>
[StructLayout(LayoutKind.Sequential, Pack = 4)]
internal readonly record struct TokenWindow(ulong High, ulong Low, ulong Position, uint First) : IComparable<TokenWindow>
{
    public int CompareTo(TokenWindow other) =>
        High != other.High ? High.CompareTo(other.High)
        : Low != other.Low ? Low.CompareTo(other.Low)
        : Position != other.Position ? Position.CompareTo(other.Position)
        : First.CompareTo(other.First);
}

/// <summary>Tokens [From, To) of a document that occurred before.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 4)]
internal readonly record struct RepeatedTokens(ulong Position, uint From, uint To) : IComparable<RepeatedTokens>, IOfDocument
{
    public int CompareTo(RepeatedTokens other) =>
        Position != other.Position ? Position.CompareTo(other.Position)
        : From != other.From ? From.CompareTo(other.From)
        : To.CompareTo(other.To);
}

namespace Finery.Data.Tokenizers;

/// <summary>Byte strings as dictionary keys, looked up by span. Hashes live only in memory.</summary>
internal sealed class ByteComparer : IEqualityComparer<byte[]>, IAlternateEqualityComparer<ReadOnlySpan<byte>, byte[]>
{
    public static readonly ByteComparer Instance = new();

    public bool Equals(byte[]? x, byte[]? y) => x.AsSpan().SequenceEqual(y);

    public bool Equals(ReadOnlySpan<byte> alternate, byte[] other) => alternate.SequenceEqual(other);

    public int GetHashCode(byte[] bytes) => GetHashCode(bytes.AsSpan());

    public int GetHashCode(ReadOnlySpan<byte> bytes) => (int)ByteHash.Of(bytes);

    public byte[] Create(ReadOnlySpan<byte> alternate) => alternate.ToArray();
}

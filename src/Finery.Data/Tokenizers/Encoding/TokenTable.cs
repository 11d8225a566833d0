using System.Numerics;

namespace Finery.Data.Tokenizers;

/// <summary>Ids of byte strings: what a dictionary does, without its copies and indirections. Immutable.</summary>
internal sealed class TokenTable
{
    private readonly byte[]?[] _tokens;
    private readonly (uint Half, int Id)[] _slots; // Id is -1 where empty
    private readonly int _shift, _mask;

    /// <param name="tokens">By id; null where an id is not to be found. Of equal ones the first counts.</param>
    public TokenTable(byte[]?[] tokens)
    {
        _tokens = tokens;
        int bits = Math.Max(4, BitOperations.Log2((uint)tokens.Length * 3 / 2 + 1) + 1); // a third to two thirds full
        _slots = new (uint, int)[1 << bits];
        Array.Fill(_slots, (0u, -1));
        (_shift, _mask) = (64 - bits, _slots.Length - 1);
        for (int id = 0; id < tokens.Length; id++)
        {
            if (tokens[id] is not { } token || TryGet(token, out _)) continue;
            ulong hash = ByteHash.Of(token) * 0x9E3779B185EBCA87;
            int at = (int)(hash >> _shift);
            while (_slots[at].Id >= 0) at = (at + 1) & _mask;
            _slots[at] = ((uint)hash, id);
        }
    }

    /// <summary>Id of a byte string, if it has one.</summary>
    public bool TryGet(ReadOnlySpan<byte> bytes, out int id)
    {
        ulong hash = ByteHash.Of(bytes) * 0x9E3779B185EBCA87;
        for (int at = (int)(hash >> _shift); ; at = (at + 1) & _mask)
        {
            (uint half, id) = _slots[at];
            if (id < 0) return false;
            if (half == (uint)hash && bytes.SequenceEqual(_tokens[id])) return true;
        }
    }
}

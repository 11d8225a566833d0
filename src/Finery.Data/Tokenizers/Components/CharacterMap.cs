using System.Buffers;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Unicode;

namespace Finery.Data.Tokenizers;

/// <summary>
/// SentencePiece's compiled normalisation rules (<c>Precompiled</c>), as T5, ALBERT and XLM-R carry them: the size of a Darts-clone
/// double array, the array, then replacements, each ended by a zero. As in HF's normalizer, a user-perceived character of fewer than
/// 6 bytes is looked up whole, then its code points one by one; of several rules that match its beginning the shortest one counts.
/// </summary>
internal sealed class CharacterMap
{
    private const int LongestCluster = 5;

    private readonly uint[] _units;
    private readonly byte[] _replacements;

    /// <exception cref="InvalidDataException">The rules are damaged.</exception>
    public CharacterMap(ReadOnlySpan<byte> compiled)
    {
        if (compiled.Length < 4 || MemoryMarshal.Read<uint>(compiled) is var size && (size % 4 != 0 || size == 0 || size > compiled.Length - 4))
            throw new InvalidDataException($"precompiled_charsmap has {compiled.Length} bytes, which hold no double array.");
        _units = MemoryMarshal.Cast<byte, uint>(compiled.Slice(4, (int)size)).ToArray();
        _replacements = compiled[(4 + (int)size)..].ToArray();
        if (!Utf8.IsValid(_replacements)) throw new InvalidDataException("precompiled_charsmap has replacements that are not UTF-8.");
    }

    /// <summary>The text rewritten, or null where nothing changes.</summary>
    /// <param name="text">Valid UTF-8.</param>
    public byte[]? Apply(ReadOnlySpan<byte> text)
    {
        string characters = Encoding.UTF8.GetString(text);
        var output = new ArrayBufferWriter<byte>(text.Length + 16);
        for (int at = 0, from = 0, length; from < characters.Length; from += length)
        {
            length = StringInfo.GetNextTextElementLength(characters, from);
            int end = at + Encoding.UTF8.GetByteCount(characters.AsSpan(from, length));
            ReadOnlySpan<byte> cluster = text[at..end];
            at = end;
            if (cluster.Length > LongestCluster || !TryReplace(cluster, output)) ReplaceEach(cluster, output);
        }
        return output.WrittenSpan.SequenceEqual(text) ? null : output.WrittenSpan.ToArray();
    }

    private void ReplaceEach(ReadOnlySpan<byte> codePoints, ArrayBufferWriter<byte> output)
    {
        for (int at = 0, length; at < codePoints.Length; at += length)
        {
            Rune.DecodeFromUtf8(codePoints[at..], out _, out length);
            ReadOnlySpan<byte> one = codePoints.Slice(at, length);
            if (!TryReplace(one, output)) output.Write(one);
        }
    }

    private bool TryReplace(ReadOnlySpan<byte> key, ArrayBufferWriter<byte> output)
    {
        int at = Find(key);
        if (at < 0) return false;
        ReadOnlySpan<byte> rest = _replacements.AsSpan(at);
        int end = rest.IndexOf((byte)0);
        output.Write(end < 0 ? rest : rest[..end]);
        return true;
    }

    /// <summary>Where the replacement for the shortest beginning of <paramref name="key"/> that has one begins, or -1.</summary>
    private int Find(ReadOnlySpan<byte> key)
    {
        uint node = Offset(_units[0]);
        foreach (byte label in key)
        {
            node ^= label;
            if (label == 0 || node >= _units.Length) return -1;
            uint unit = _units[node];
            if ((unit & 0x8000_00FF) != label) return -1;
            node ^= Offset(unit);
            if ((unit & 0x100) == 0) continue;
            if (node >= _units.Length) return -1;
            uint value = _units[node] & 0x7FFF_FFFF;
            return value <= _replacements.Length ? (int)value : -1;
        }
        return -1;
    }

    /// <summary>Distance to a unit's children: 21 bits, or 29 of which the lowest 8 are zeros.</summary>
    private static uint Offset(uint unit) => (unit >> 10) << (int)((unit & 0x200) >> 6);
}

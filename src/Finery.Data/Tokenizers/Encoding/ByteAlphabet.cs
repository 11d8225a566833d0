using System.Text;

namespace Finery.Data.Tokenizers;

/// <summary>
/// The byte-to-character table of GPT-2, with which byte-level BPE writes arbitrary bytes as printable text: 188 bytes map
/// to the character of the same number, the other 68, in ascending order, to U+0100 and up (a space becomes Ġ).
/// </summary>
internal static class ByteAlphabet
{
    private static readonly char[] CharOfByte = BuildChars();
    private static readonly Dictionary<char, byte> ByteOfChar = BuildBytes();

    /// <summary>The 256 bytes in the order of their mapped characters: the order of ids in HF's byte-level trainer.</summary>
    public static readonly byte[] SortedBytes = [.. Enumerable.Range(0, 256).Select(b => (byte)b).OrderBy(b => CharOfByte[b])];

    public static char ToChar(byte value) => CharOfByte[value];

    public static string ToText(ReadOnlySpan<byte> bytes)
    {
        var text = new StringBuilder(bytes.Length);
        foreach (byte value in bytes) text.Append(CharOfByte[value]);
        return text.ToString();
    }

    /// <summary>The bytes a vocabulary entry stands for; an entry with any character outside the table is its own
    /// UTF-8.</summary>
    public static byte[] ToBytes(string token)
    {
        var bytes = new byte[token.Length];
        for (int i = 0; i < token.Length; i++)
        {
            if (!ByteOfChar.TryGetValue(token[i], out bytes[i])) return Encoding.UTF8.GetBytes(token);
        }
        return bytes;
    }

    private static char[] BuildChars()
    {
        var chars = new char[256];
        int moved = 0;
        for (int b = 0; b < 256; b++)
        {
            bool printable = b is >= 0x21 and <= 0x7E or >= 0xA1 and <= 0xAC or >= 0xAE;
            chars[b] = (char)(printable ? b : 0x100 + moved++);
        }
        return chars;
    }

    private static Dictionary<char, byte> BuildBytes()
    {
        var bytes = new Dictionary<char, byte>(256);
        for (int b = 0; b < 256; b++) bytes[CharOfByte[b]] = (byte)b;
        return bytes;
    }
}

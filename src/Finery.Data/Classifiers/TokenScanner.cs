using System.Runtime.CompilerServices;

namespace Finery.Data.Classifiers;

/// <summary>Splits bytes as fastText does: at space, \n, \r, \t, \v, \f and NUL; and hashes each token on the way.</summary>
internal ref struct TokenScanner(Span<byte> text)
{
    private const uint HashOffset = 2166136261;
    private const uint HashPrime = 16777619;

    private readonly Span<byte> _text = text;
    private int _position;

    /// <summary>Where the token starts in the bytes.</summary>
    public int Start { get; private set; }

    /// <summary>Where it ends.</summary>
    public int End { get; private set; }

    /// <summary>Its hash.</summary>
    public uint Hash { get; private set; }

    /// <summary>The token that ends a line.</summary>
    public static ReadOnlySpan<byte> EndOfLine => "</s>"u8;

    /// <summary>FNV-1a of 32 bits with sign-extended bytes: every published model was trained where <c>char</c> is
    /// signed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Step(uint hash, byte value) => (hash ^ (uint)(sbyte)value) * HashPrime;

    /// <summary>Hash of no bytes.</summary>
    public static uint Seed => HashOffset;

    public static uint HashOf(ReadOnlySpan<byte> bytes)
    {
        var hash = HashOffset;
        foreach (var value in bytes)
            hash = Step(hash, value);
        return hash;
    }

    /// <summary>Whether the byte stands between tokens.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsSpace(byte value) => value <= 32 && ((1ul << value) & 0x1_0000_3E01ul) != 0;

    /// <summary>Goes on to the next token; false when there is none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool Next()
    {
        var text = _text;
        var i = _position;
        while (i < text.Length && IsSpace(text[i]))
            i++;
        Start = i;
        var hash = HashOffset;
        for (; i < text.Length && !IsSpace(text[i]); i++)
            hash = Step(hash, text[i]);
        // The space behind it is passed over at once: whoever takes the token may write there.
        (End, _position, Hash) = (i, i + 1, hash);
        return i > Start;
    }
}

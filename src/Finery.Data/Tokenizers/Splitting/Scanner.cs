using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using static Finery.Data.Tokenizers.CharacterClasses;

namespace Finery.Data.Tokenizers;

/// <summary>Finds where a chunk ends. A struct, so that the loops over chunks are compiled for each pattern.</summary>
internal interface IScanner
{
    /// <summary>Index after the last byte of the chunk that begins at <paramref name="start"/> of valid UTF-8.</summary>
    int ChunkEnd(ReadOnlySpan<byte> text, int start);
}

/// <summary>What the scanners share: runs of one class.</summary>
internal static class Runs
{
    /// <summary>End of a run of letters from <paramref name="at"/> on, which may be empty. Sixteen bytes at a time while they
    /// are ASCII: most words end within the first sixteen, so that a word costs no unpredictable branch per letter.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int LettersEnd(ReadOnlySpan<byte> text, int at)
    {
        while (at + Vector128<byte>.Count <= text.Length)
        {
            var bytes = Vector128.LoadUnsafe(ref MemoryMarshal.GetReference(text), (nuint)at);
            var letters = Vector128.LessThan((bytes | Vector128.Create((byte)0x20)) - Vector128.Create((byte)'a'), Vector128.Create((byte)26));
            int run = BitOperations.TrailingZeroCount(~letters.ExtractMostSignificantBits());
            at += run;
            if (run < Vector128<byte>.Count) return text[at] < 0x80 ? at : End(text, at, Letter);
        }
        return End(text, at, Letter);
    }

    /// <summary>End of a run of characters of one class from <paramref name="at"/> on, which may be empty.</summary>
    public static int End(ReadOnlySpan<byte> text, int at, byte kind)
    {
        while (at < text.Length && At(text, at, out int next) == kind) at = next;
        return at;
    }

    /// <summary>Length of an English contraction at <paramref name="start"/>, where an apostrophe stands, or 0.</summary>
    public static int ContractionLength(ReadOnlySpan<byte> text, int start, bool anyCase)
    {
        ReadOnlySpan<byte> rest = text[start..];
        if (rest.Length < 2) return 0;
        byte second = Fold(rest[1]), third = rest.Length > 2 ? Fold(rest[2]) : (byte)0;
        if (second is (byte)'s' or (byte)'t' or (byte)'m' or (byte)'d') return 2;
        if ((second, third) is ((byte)'r', (byte)'e') or ((byte)'v', (byte)'e') or ((byte)'l', (byte)'l')) return 3;
        return anyCase && rest[1..].StartsWith("ſ"u8) ? 3 : 0; // U+017F folds to s

        byte Fold(byte letter) => anyCase && letter is >= (byte)'A' and <= (byte)'Z' ? (byte)(letter | 0x20) : letter;
    }
}

/// <summary>The Llama-3 pattern, with numbers in groups of at most <paramref name="mostDigits"/>.</summary>
internal readonly struct Llama3Scanner(int mostDigits) : IScanner
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int ChunkEnd(ReadOnlySpan<byte> text, int start)
    {
        byte first = text[start];
        if (first < 0x80)
        {
            // [^\r\n\p{L}\p{N}]?\p{L}+ for words that begin in ASCII: nearly all chunks of most texts
            byte kind = OfAscii(first);
            bool alone = kind == Letter;
            if (alone || (kind != Number && first is not ((byte)'\r' or (byte)'\n' or (byte)'\'')))
            {
                int end = Runs.LettersEnd(text, start + 1);
                if (alone || end > start + 1) return end;
            }
        }
        return Rest(text, start);
    }

    private int Rest(ReadOnlySpan<byte> text, int start)
    {
        byte kind = At(text, start, out int next);
        byte first = text[start];
        if (first == '\'' && Runs.ContractionLength(text, start, anyCase: true) is > 0 and int length) return start + length;
        if (kind == Letter) return Runs.LettersEnd(text, next);
        if (kind == Number)
        {
            int end = next;
            for (int taken = 1; taken < mostDigits && end < text.Length && At(text, end, out next) == Number; taken++) end = next;
            return end;
        }
        byte following = next < text.Length ? At(text, next, out _) : (byte)0;
        if (following == Letter && first is not ((byte)'\r' or (byte)'\n')) return Runs.LettersEnd(text, next);
        if (kind == Other || (first == ' ' && following == Other))
        {
            int end = Runs.End(text, next, Other);
            while (end < text.Length && text[end] is (byte)'\r' or (byte)'\n') end++;
            return end;
        }
        return SpaceEnd(text, start);
    }

    /// <summary><c>\s*[\r\n]+</c>, else <c>\s+(?!\S)</c>, else <c>\s+</c>, from a white space character.</summary>
    private static int SpaceEnd(ReadOnlySpan<byte> text, int start)
    {
        int at = start, lastStart = start, afterBreak = 0;
        while (at < text.Length && At(text, at, out int next) == Space)
        {
            if (text[at] is (byte)'\r' or (byte)'\n') afterBreak = next;
            lastStart = at;
            at = next;
        }
        if (afterBreak > 0) return afterBreak;
        return at == text.Length || lastStart == start ? at : lastStart;
    }
}

/// <summary>The GPT-2 pattern; with <paramref name="singleNumbers"/> SmolLM's, where every number character is a chunk and ends
/// the text before it.</summary>
internal readonly struct Gpt2Scanner(bool singleNumbers) : IScanner
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int ChunkEnd(ReadOnlySpan<byte> text, int start)
    {
        byte first = text[start];
        bool space = first == ' ';
        if (space || (uint)((first | 0x20) - 'a') < 26)
        {
            int end = Runs.LettersEnd(text, start + 1);
            if (!space || end > start + 1) return end;
        }
        return Rest(text, start);
    }

    private int Rest(ReadOnlySpan<byte> text, int start)
    {
        byte kind = At(text, start, out int next);
        byte first = text[start];
        if (first == '\'' && Runs.ContractionLength(text, start, anyCase: false) is > 0 and int length) return start + length;
        if (singleNumbers && kind == Number) return next;
        if (first == ' ' && next < text.Length && At(text, next, out int after) is not Space and var second
            && !(singleNumbers && second == Number))
        {
            return Runs.End(text, after, second);
        }
        return kind == Space ? SpaceEnd(text, start) : Runs.End(text, next, kind);
    }

    /// <summary><c>\s+(?!\S)</c>, else <c>\s+</c>, from a white space character.</summary>
    private int SpaceEnd(ReadOnlySpan<byte> text, int start)
    {
        int at = start, lastStart = start;
        byte kind = Space;
        while (at < text.Length && (kind = At(text, at, out int next)) == Space) (lastStart, at) = (at, next);
        return at == text.Length || lastStart == start || (singleNumbers && kind == Number) ? at : lastStart;
    }
}

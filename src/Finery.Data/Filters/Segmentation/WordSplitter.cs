using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Finery.Data.Filters.Segmentation;

/// <summary>
/// Splits text into words as spaCy's rule tokenizer does, and leaves out white space. A piece between white space that is an
/// exception is parted as that says; otherwise a prefix and a suffix are cut off until nothing changes or an exception is left;
/// what remains is one word if it is a web address, and is cut at infixes if it is not. Words cover all that is not white
/// space.
/// </summary>
/// <remarks>
/// Most pieces are letters only: they are words as they stand after one look into a table of exceptions. One difference is
/// left: spaCy looks for emoticons and abbreviations among the words found once more, and a longer one that fails because white
/// space is inside may there keep it from a shorter one (<c>word:) )</c>).
/// </remarks>
internal sealed partial class WordSplitter
{
    private readonly WordExceptions _exceptions;
    private readonly bool _digitBeforeHyphen;
    private readonly RejoinedWords _rejoined;

    private WordSplitter(WordExceptions exceptions, bool digitBeforeHyphen)
    {
        _exceptions = exceptions;
        _digitBeforeHyphen = digitBeforeHyphen;
        _rejoined = new(exceptions, SplitByRules);
    }

    /// <summary>The rules for English.</summary>
    public static WordSplitter English { get; } = new(new(english: true), digitBeforeHyphen: true);

    /// <summary>The rules for other languages that put spaces between words.</summary>
    public static WordSplitter Spaced { get; } = new(new(english: false), digitBeforeHyphen: false);

    /// <summary>Appends the words of a text, with their <see cref="WordFlags"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Split(ReadOnlySpan<char> text, TextSpans words)
    {
        ref var table = ref MemoryMarshal.GetArrayDataReference(WordCharacters.Flags);
        ref var first = ref MemoryMarshal.GetReference(text);
        for (var i = 0; i < text.Length;)
        {
            var start = i;
            int inner = 0, last = 0;
            for (; i < text.Length; i++)
            {
                int flags = Unsafe.Add(ref table, Unsafe.Add(ref first, i));
                if ((flags & (int)WordFlags.Space) != 0)
                    break;
                inner |= last;
                last = flags;
            }
            if (i > start)
                AddPiece(text, start, i, inner, last, words);
            i++;
        }
    }

    /// <summary>Appends the words of a piece.</summary>
    /// <param name="text">The text.</param>
    /// <param name="start">Where the piece begins.</param>
    /// <param name="end">Where it ends.</param>
    /// <param name="inner">Flags of all its characters but the last.</param>
    /// <param name="last">Flags of the last.</param>
    /// <param name="words">Where to put the words.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void AddPiece(ReadOnlySpan<char> text, int start, int end, int inner, int last, TextSpans words)
    {
        const int plain = (int)(WordFlags.Active | WordFlags.Digit);
        var all = inner | last;
        if ((all & plain) == 0 ? !_exceptions.MayPart(text[start..end])
            : (all & (int)WordFlags.Active) == 0 && (last & (int)WordFlags.Digit) != 0)
            words.Add(start, end, (byte)(end - start == 1 ? all : all & ~(int)WordFlags.SentenceEnd));
        else if ((inner & plain) == 0 && end - start > 2 && IsMarked(text[start..end]))
        {
            words.Add(start, end - 1, (byte)(inner & ~(int)WordFlags.SentenceEnd));
            words.Add(end - 1, end, (byte)last);
        }
        else
            SplitPiece(text, start, end, words);
    }

    /// <summary>Whether a piece of which only the last character can be cut off is a word and a mark: neither it nor the word
    /// is an exception.</summary>
    private bool IsMarked(ReadOnlySpan<char> piece)
    {
        var mark = piece[^1];
        return (mark is ',' or ';' or ':' or '!' or '?' or ')' or '"'
                || (mark == '.' && ((WordRoles)WordCharacters.Roles[piece[^2]] & WordRoles.BeforeStop) != 0))
            && !_exceptions.Contains(piece) && !_exceptions.MayPart(piece[..^1]);
    }

    /// <summary>Appends the words of a piece without white space.</summary>
    public void SplitPiece(ReadOnlySpan<char> text, int start, int end, TextSpans words)
    {
        var before = words.Count;
        if (_exceptions.Find(text[start..end]) is { } lengths)
            AddParts(text, start, lengths, words);
        else
            SplitByRules(text, start, end, words, useExceptions: true);
        if (words.Count > before + 1)
            _rejoined.Apply(text, before, words);
    }

    private void SplitByRules(ReadOnlySpan<char> text, int start, int end, TextSpans words, bool useExceptions)
    {
        var stop = end;
        while (start < end)
        {
            var piece = text[start..end];
            if (useExceptions && _exceptions.Contains(piece))
                break;
            var prefix = PrefixLength(piece);
            if (prefix > 0 && prefix < piece.Length && useExceptions && _exceptions.Contains(piece[prefix..]))
            {
                Add(text, start, start + prefix, words);
                start += prefix;
                break;
            }
            var suffix = SuffixLength(piece[prefix..]);
            if (suffix > 0 && suffix < piece.Length && useExceptions && _exceptions.Contains(piece[..^suffix]))
            {
                words.Push(suffix);
                end -= suffix;
                break;
            }
            if (prefix + suffix == 0)
                break;
            if (prefix > 0)
                Add(text, start, start + prefix, words);
            if (suffix > 0)
                words.Push(suffix);
            start += prefix;
            end -= suffix;
        }
        if (start < end)
            SplitMiddle(text, start, end, words, useExceptions);
        while (end < stop)
        {
            var length = words.Pop();
            Add(text, end, end + length, words);
            end += length;
        }
    }

    private void SplitMiddle(ReadOnlySpan<char> text, int start, int end, TextSpans words, bool useExceptions)
    {
        var piece = text[start..end];
        if (useExceptions && _exceptions.Find(piece) is { } lengths)
            AddParts(text, start, lengths, words);
        else if (WebAddress.IsMatch(piece))
            Add(text, start, end, words);
        else
            SplitAtInfixes(text, start, end, words);
    }

    private void SplitAtInfixes(ReadOnlySpan<char> text, int start, int end, TextSpans words)
    {
        var piece = text[start..end];
        var done = 0;
        for (var i = 0; i < piece.Length;)
        {
            var length = (WordCharacters.Flags[piece[i]] & (int)WordFlags.Active) == 0 ? 0 : InfixLength(piece, i);
            // One at the very start separates nothing.
            if (length > 0 && i > 0)
            {
                if (i > done)
                    Add(text, start + done, start + i, words);
                Add(text, start + i, start + i + length, words);
                done = i + length;
            }
            i += Math.Max(1, length);
        }
        if (done < piece.Length)
            Add(text, start + done, end, words);
    }

    private static void AddParts(ReadOnlySpan<char> text, int start, int[] lengths, TextSpans words)
    {
        foreach (var length in lengths)
        {
            Add(text, start, start + length, words);
            start += length;
        }
    }

    /// <summary>Appends a word with its flags.</summary>
    internal static void Add(ReadOnlySpan<char> text, int start, int end, TextSpans words)
    {
        var flags = 0;
        for (var i = start; i < end; i++)
            flags |= WordCharacters.Flags[text[i]];
        if ((flags & (int)WordFlags.Surrogate) != 0)
            flags = (int)WordCharacters.FlagsOfWide(text[start..end]);
        else if (end - start > 1)
            flags &= ~(int)WordFlags.SentenceEnd;
        words.Add(start, end, (byte)flags);
    }
}

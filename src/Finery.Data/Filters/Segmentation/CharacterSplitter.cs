using System.Globalization;
using System.Text;

namespace Finery.Data.Filters.Segmentation;

/// <summary>
/// Words of scripts that put no spaces between them, without a dictionary: every character of such a script, with the marks
/// that follow it, is a word. What stands between such characters is split as in languages with spaces.
/// </summary>
/// <remarks>The published runs used dictionaries or models (jieba, Sudachi, PyThaiNLP, ...). Words here are shorter, so
/// settings that speak of word lengths and counts have to be chosen for them.</remarks>
internal static class CharacterSplitter
{
    // First and last code point: Han with its radicals and marks, kana, Thai, Lao, Tibetan, Burmese, Khmer.
    private static readonly (int First, int Last)[] s_scripts =
    [
        (0x0E00, 0x0EFF), (0x0F00, 0x0FFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x19E0, 0x19FF), (0x2E80, 0x2FDF),
        (0x3005, 0x3007), (0x3021, 0x302F), (0x3031, 0x309F), (0x30A1, 0x30FF), (0x31F0, 0x31FF), (0x3400, 0x4DBF),
        (0x4E00, 0x9FFF), (0xA9E0, 0xA9FF),
        (0xAA60, 0xAA7F), (0xF900, 0xFAFF), (0xFF66, 0xFF9F), (0x1B000, 0x1B16F), (0x20000, 0x3FFFF),
    ];

    /// <summary>Appends the words of a text.</summary>
    public static void Split(ReadOnlySpan<char> text, TextSpans words)
    {
        for (var i = 0; i < text.Length;)
        {
            if (CharacterSets.IsSpace(text[i]))
            {
                i++;
                continue;
            }
            var start = i;
            var own = IsOwnWord(text[i..], out var length);
            i += length;
            if (own)
            {
                while (i < text.Length && IsMark(text[i..], out length))
                    i += length;
                WordSplitter.Add(text, start, i, words);
                continue;
            }
            while (i < text.Length && !CharacterSets.IsSpace(text[i]) && !IsOwnWord(text[i..], out length))
                i += length;
            WordSplitter.Spaced.SplitPiece(text, start, i, words);
        }
    }

    private static bool IsOwnWord(ReadOnlySpan<char> text, out int length)
    {
        if (text[0] < s_scripts[0].First)
        {
            length = 1;
            return false;
        }
        Rune.DecodeFromUtf16(text, out var rune, out length);
        foreach (var (first, last) in s_scripts)
            if (rune.Value >= first && rune.Value <= last)
                return true;
        return false;
    }

    private static bool IsMark(ReadOnlySpan<char> text, out int length)
    {
        Rune.DecodeFromUtf16(text, out var rune, out length);
        return Rune.GetUnicodeCategory(rune)
            is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark;
    }
}

using System.Text;
using Finery.Data.Tokenizers;

namespace Finery.Data.Deduplication.Substrings;

/// <summary>What a token is, without a tokenizer.</summary>
public enum SubstringUnit
{
    /// <summary>What stands between white space.</summary>
    Word,

    /// <summary>A byte of UTF-8.</summary>
    Byte,
}

/// <summary>A text as tokens: a number for each, and where in the text it begins.</summary>
/// <param name="Values">Equal for equal tokens.</param>
/// <param name="Starts">Byte at which each begins, and the end of the text.</param>
internal readonly record struct SubstringTokens(ulong[] Values, int[] Starts)
{
    public static SubstringTokens Of(string text, byte[] utf8, SubstringUnit unit, Tokenizer? tokenizer) =>
        tokenizer is not null ? Encode(text, utf8.Length, tokenizer)
        : unit == SubstringUnit.Byte ? new(Array.ConvertAll(utf8, b => (ulong)b), [.. Enumerable.Range(0, utf8.Length + 1)])
        : Words(text, utf8);

    private static SubstringTokens Encode(string text, int bytes, Tokenizer tokenizer)
    {
        var ids = new List<int>();
        var ranges = new List<(int Start, int End)>();
        tokenizer.Encode(text, ids, ranges, allowSpecial: false);
        return new([.. ids.Select(i => (ulong)(uint)i)], [.. ranges.Select(r => r.Start), bytes]);
    }

    private static SubstringTokens Words(string text, byte[] utf8)
    {
        var values = new List<ulong>(utf8.Length / 6);
        var starts = new List<int>(utf8.Length / 6);
        int at = 0, wordBytes = 0, wordStart = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            if (!Rune.IsWhiteSpace(rune) && rune.Value is not (>= 0x1C and <= 0x1F))
            {
                if (wordBytes == 0)
                    wordStart = at;
                wordBytes += rune.Utf8SequenceLength;
            }
            else
                End();
            at += rune.Utf8SequenceLength;
        }
        End();
        starts.Add(utf8.Length);
        return new([.. values], [.. starts]);

        void End()
        {
            if (wordBytes == 0)
                return;
            starts.Add(wordStart);
            values.Add(XxHash64.Hash(utf8.AsSpan(wordStart, wordBytes)));
            wordBytes = 0;
        }
    }
}

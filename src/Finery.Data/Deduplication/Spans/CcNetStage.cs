using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Finery.Data.Filters;

namespace Finery.Data.Deduplication.Spans;

/// <summary>
/// cc_net's line deduplication: a line that occurs in two documents of a group goes from all of them, of what repeats within one
/// document the first stays. Lines are compared in lower case, with every digit a 0 and without punctuation and control
/// characters, by the first 8 bytes of SHA-1. Reasons <c>ccnet_lines_short</c> for documents below the least length, and
/// <c>ccnet_lines</c> for those of which less is left.
/// </summary>
public sealed record CcNetStage : SpanStage
{
    /// <summary>Code points a document must have, before and after.</summary>
    public int MinCharacters { get; init; } = 300;

    /// <summary>Parts of the corpus in a group (cc_net: 50 of 1600 shards); 0 makes the whole corpus one.</summary>
    public int GroupParts { get; init; }

    /// <summary>Whether the first document of the group keeps what it shares with others.</summary>
    public bool KeepFirst { get; init; }

    private protected override string Reason => "ccnet_lines";

    /// <summary>Reports settings that cannot work.</summary>
    public IEnumerable<(string Property, string Message)> Validate()
    {
        if (GroupParts < 0)
            yield return (nameof(GroupParts), $"a group has no negative number of parts: {GroupParts}");
        if (Index is not null || SaveIndex is not null)
            yield return (nameof(Index), "lines are compared within a group: this stage has no index");
    }

    private protected override List<Range> Split(string text) => Pieces.Lines(text);

    private protected override IEnumerable<(ulong Key, int First)> KeysOf(string text, List<Range> pieces)
    {
        for (var i = 0; i < pieces.Count; i++)
            if (Normalise(text.AsSpan(pieces[i])) is { Length: > 0 } line)
                yield return (BinaryPrimitives.ReadUInt64LittleEndian(SHA1.HashData(Encoding.UTF8.GetBytes(line))), i);
    }

    private protected override SpanRule CreateRule(long[] offsets) => new SharedInGroup(
        position => GroupParts == 0 ? 0 : DocumentPosition.Part(position) / GroupParts, KeepFirst);

    private protected override bool IsTooShort(string text) => CharacterSets.Length(text) < MinCharacters;

    private protected override bool Suffices(string text, int pieces) =>
        CharacterSets.Length(text) >= MinCharacters && !text.AsSpan().Trim().IsEmpty;

    /// <summary>What of a line is compared.</summary>
    internal static string Normalise(ReadOnlySpan<char> line)
    {
        var output = new StringBuilder(line.Length);
        foreach (var rune in CharacterSets.Strip(line).EnumerateRunes())
        {
            var lower = Rune.ToLowerInvariant(rune);
            if (Rune.GetUnicodeCategory(lower) == UnicodeCategory.DecimalDigitNumber)
                output.Append('0');
            else if (!IsLeftOut(lower.Value))
                output.Append(lower.ToString());
        }
        return output.ToString();
    }

    // Its list has typographic punctuation and control characters; that of ASCII stays.
    private static bool IsLeftOut(int c) => c is < 0x20 or (>= 0x7F and < 0xA0) || (c > 0x7F && CharacterSets.IsPunctuation(c));
}

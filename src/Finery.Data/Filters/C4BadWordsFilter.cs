using Finery.Data.Batches;

namespace Finery.Data.Filters;

/// <summary>
/// Drops documents with any of a list of words or phrases, between characters that are no part of a word; in Japanese, Thai and
/// Chinese anywhere. C4 used the list of LDNOOBW, which is not bundled: give it as <see cref="WordsFile"/>.
/// </summary>
public sealed record C4BadWordsFilter : DocumentFilter
{
    /// <summary>A text file with one word or phrase a line; null for a short English list of Finery's own.</summary>
    public string? WordsFile { get; init; }

    /// <summary>ISO 639 code of the list's language.</summary>
    public string Language { get; init; } = "en";

    /// <summary>Share of the documents with such words to be kept all the same, 0 to 1; chosen by <see cref="Seed"/> and
    /// document id.</summary>
    public double KeepFraction { get; init; }

    /// <summary>Seed of the choice.</summary>
    public long Seed { get; init; }

    /// <summary>Settings that cannot work.</summary>
    public IEnumerable<(string Property, string Message)> Validate()
    {
        if (WordsFile is null && Language != "en")
            yield return (nameof(WordsFile), $"There is no list for '{Language}'; name a file with one word a line.");
        if (WordsFile is not null && !File.Exists(WordsFile))
            yield return (nameof(WordsFile), $"The file '{WordsFile}' does not exist.");
        if (KeepFraction is not (>= 0 and <= 1))
            yield return (nameof(KeepFraction), $"{KeepFraction} is not a share from 0 to 1.");
    }

    /// <inheritdoc/>
    /// <exception cref="IOException">The words file cannot be read.</exception>
    /// <exception cref="ArgumentException">There is no list for the language.</exception>
    public override void Apply(WorkingDocument document)
    {
        var list = BadWordList.Of(WordsFile, Language);
        document.RejectIf("document_removed_with_badwords", list.IsIn(document.Text) && !IsKept(document.Document.Id));
    }

    private bool IsKept(string id)
    {
        if (KeepFraction <= 0)
            return false;
        var hash = (ulong)Seed;
        foreach (var c in id)
            hash = SeededHash.Mix(hash, c);
        // The upper 53 bits are a number in [0, 1).
        return Math.ScaleB(hash >> 11, -53) < KeepFraction;
    }
}

using System.Text;

namespace Finery.Data.Filters;

/// <summary>Drops text in which too few characters are letters (tables of numbers, binary dumps, symbol art).</summary>
public sealed record AlphabeticFilter : DocumentFilter
{
    /// <summary>Least share of letters among the code points that are not white space; below: <c>few_letters</c>.</summary>
    public double MinLetters { get; init; } = 0.6;

    /// <inheritdoc/>
    public override void Apply(WorkingDocument document)
    {
        int letters = 0, others = 0;
        foreach (var rune in document.Text.EnumerateRunes())
        {
            if (Rune.IsLetter(rune))
                letters++;
            else if (!Rune.IsWhiteSpace(rune))
                others++;
        }
        document.RejectBelow("few_letters", letters + others == 0 ? -1 : (double)letters / (letters + others), MinLetters);
    }
}

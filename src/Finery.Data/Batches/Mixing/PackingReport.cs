namespace Finery.Data.Batches.Mixing;

/// <summary>What a way of filling rows makes of documents.</summary>
/// <param name="Rows">Rows of an epoch.</param>
/// <param name="Utilisation">Share of the rows' places that hold a token, the rest being padding.</param>
/// <param name="CutOffShare">Share of tokens whose row does not hold the beginning of their document: they have lost
/// context.</param>
/// <param name="SplitDocuments">Documents that are not in one row whole.</param>
/// <param name="DroppedTokens">Tokens of an epoch that are in no row: fewer than T.</param>
public sealed record PackingReport(long Rows, double Utilisation, double CutOffShare, long SplitDocuments, long DroppedTokens)
{
    /// <summary>Computes the report for documents of given lengths.</summary>
    /// <param name="documents">Tokens of each document, in order.</param>
    /// <param name="length">T: tokens of a row.</param>
    /// <param name="packing">How rows are filled.</param>
    public static PackingReport Of(IEnumerable<long> documents, int length, RowPacking packing)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        if (packing == RowPacking.Windows) return OfWindows(documents, length);
        var packed = new PackedDocuments(documents, length);
        return new(packed.Rows, Share(packed.Tokens, (long)packed.Rows * length), Share(packed.TokensCutOff, packed.Tokens),
            packed.SplitDocuments, 0);
    }

    /// <summary>Windows one after the other from the first token on; what is left at the end is dropped.</summary>
    private static PackingReport OfWindows(IEnumerable<long> documents, int length)
    {
        long at = 0, cutOff = 0, split = 0;
        foreach (long tokens in documents)
        {
            long inFirstRow = Math.Min(tokens, length - (at % length));
            cutOff += tokens - inFirstRow;
            if (inFirstRow < tokens) split++;
            at += tokens;
        }
        return new(at / length, at < length ? 0 : 1, Share(cutOff, at), split, at % length);
    }

    private static double Share(long part, long whole) => whole == 0 ? 0 : (double)part / whole;
}

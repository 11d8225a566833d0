namespace Finery.Data.Batches.Mixing;

/// <summary>How documents are put into rows.</summary>
public enum RowPacking
{
    /// <summary>Rows are windows of T tokens of the corpus: no padding and no token left out, but most documents are cut by a
    /// border.</summary>
    Windows,

    /// <summary>Whole documents, packed by <see cref="BestFitPacking"/> and padded; only those longer than T are split. Each
    /// length of row has a packing of its own, so a change of length begins a new epoch of each source.</summary>
    BestFit,
}

/// <summary>What a row is.</summary>
public sealed record RowSettings
{
    /// <summary>How documents are put into rows.</summary>
    public RowPacking Packing { get; init; }

    /// <summary>Whether tokens see the documents before theirs in the row: no document mask, positions run on. Targets are the
    /// same either way (a document's last token has none), so that losses can be compared.</summary>
    public bool CrossDocument { get; init; }
}

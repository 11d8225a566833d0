namespace Finery.Data.Deduplication.MinHash;

/// <summary>Which document of a cluster is kept.</summary>
public enum KeptCopy
{
    /// <summary>The first in the corpus.</summary>
    First,

    /// <summary>The last in the corpus.</summary>
    Last,

    /// <summary>The longest, in code points; of equals the first.</summary>
    Longest,

    /// <summary>The one that datatrove's union by size ends with.</summary>
    Root,

    /// <summary>The one with the highest value of a metadata key (a number, a date, else a text by its first 8 bytes; none is
    /// lowest); of equals the first.</summary>
    Highest,
}

namespace Finery.Data.Extraction;

/// <summary>How building or extracting ended.</summary>
public enum ExtractionOutcome
{
    /// <summary>There is text.</summary>
    Extracted,

    /// <summary>Nothing of the page is running text.</summary>
    Empty,

    /// <summary>The page is larger than the limit.</summary>
    TooLarge,

    /// <summary>The page has more nodes than the limit.</summary>
    TooComplex,

    /// <summary>It took longer than the limit.</summary>
    Timeout,
}

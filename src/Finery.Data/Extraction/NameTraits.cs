namespace Finery.Data.Extraction;

/// <summary>What an element's id, class, role and style tell of it.</summary>
[Flags]
internal enum NameTraits
{
    None = 0,

    /// <summary>Readers' comments.</summary>
    Comments = 1,

    /// <summary>Holds articles that follow the page's own.</summary>
    InfiniteScroll = 1 << 1,

    /// <summary>Boilerplate: navigation, sharing, advertising and so on.</summary>
    Boilerplate = 1 << 2,

    /// <summary>Not shown.</summary>
    Hidden = 1 << 3,

    /// <summary>Announces another article.</summary>
    Teaser = 1 << 4,

    /// <summary>Boilerplate more often than not: pruned for precision.</summary>
    Doubtful = 1 << 5,

    /// <summary>Body of an article, by the first of the expressions.</summary>
    Body1 = 1 << 6,

    /// <summary>By the third; the second is the element <c>article</c>.</summary>
    Body3 = 1 << 7,

    /// <summary>By the fourth.</summary>
    Body4 = 1 << 8,

    /// <summary>By the fifth.</summary>
    Body5 = 1 << 9,

    /// <summary>Line numbers of a program.</summary>
    Gutter = 1 << 10,

    /// <summary>A table for layout.</summary>
    Presentation = 1 << 11,

    /// <summary>Scored down as an article.</summary>
    Negative = 1 << 12,

    /// <summary>Scored up as an article.</summary>
    Positive = 1 << 13,

    /// <summary>Not a candidate for an article.</summary>
    Unlikely = 1 << 14,

    /// <summary>Description of a picture.</summary>
    Caption = 1 << 15,

    /// <summary>Boilerplate for what it embeds of another site: a quotation in it is text.</summary>
    Embedded = 1 << 16,
}

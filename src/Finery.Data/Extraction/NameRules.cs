using System.Buffers;

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

/// <summary>
/// Reads ids, classes and other attributes for what they tell. The words are those that themes of content management systems and
/// advertising networks share; none is of a single site.
/// </summary>
internal static class NameRules
{
    private static readonly SearchValues<string> BodyId = Words(
        "entry-content article-content art-content article__content article-body article__body articlebody body-text articlecontent");
    private static readonly SearchValues<string> BodyClass = Words(
        "post-text post_text posttext post-body post_body postbody post-entry postentry post-content post_content postcontent " +
        "post_inner_wrapper article-text articletext entry-content page-content text-content article-content art-content " +
        "article__content articlecontent article-body article__body articlebody body-text article__container");
    private static readonly SearchValues<string> StoryClass = Words(
        "fulltext post-bodycopy story-content storycontent theme-content blog-content section-content single-content single-post " +
        "main-column wpb_text_column story-body field-body");
    private static readonly SearchValues<string> MainContent = Words(
        "content-main content_main content-body content__body contentbody main-content page-content");

    private static readonly SearchValues<string> BoilerplateBoth = Words(
        "viral newsletter syndication tags sidebar banner breadcrumb bread-crumb button author");
    private static readonly SearchValues<string> BoilerplateId = Words("footer share nav menu related message-container premium");
    private static readonly SearchValues<string> BoilerplateClass = SearchValues.Create(
        [
            .. ("subnav avigation navbar navbox menu bar -ad- outbrain taboola criteo paid-content paidcontent footer byline " +
                "share- sociable tag-list consent modal-content permission elated next- -stories most-popular meta rating " +
                "attachment timestamp user-info user-profile -icon article-infos message-container slide viewport overlay options " +
                "expand obfuscated blurred").Split(' '),
            " ad ",
        ], StringComparison.OrdinalIgnoreCase);
    private static readonly SearchValues<string> EmbeddedWords = Words("social embed widget");
    private static readonly SearchValues<string> HiddenClass = SearchValues.Create(
        [
            "comments-title", "nocomments", "-reply-", "message", "akismet", "suggest-links", "-hide-", "hide-print", " hidden",
            " hide", "noprint", "notloaded",
        ], StringComparison.OrdinalIgnoreCase);
    private static readonly SearchValues<string> HiddenStyle = SearchValues.Create(
        ["display:none", "display: none", "visibility:hidden", "visibility: hidden"], StringComparison.OrdinalIgnoreCase);

    // The fallback's words: those of Readability.
    private static readonly SearchValues<string> UnlikelyWords = Words(
        "combx comment community disqus extra foot header menu remark rss shoutbox sidebar sponsor ad-break agegate pagination pager " +
        "popup tweet twitter");
    private static readonly SearchValues<string> MaybeWords = Words("and article body column main shadow");
    private static readonly SearchValues<string> PositiveWords = Words("article body content entry main page post text blog story");
    private static readonly SearchValues<string> NegativeWords = Words(
        "button combx comment com- contact figure foot form input masthead media meta outbrain promo related scroll shoutbox sidebar " +
        "sponsor shopping tags tool widget");

    /// <summary>Whether the type of a script says that it holds a formula.</summary>
    public static bool IsMathScript(ReadOnlySpan<char> type) => type.StartsWith("math/tex", StringComparison.OrdinalIgnoreCase);

    /// <summary>Sets what every element's names tell.</summary>
    public static void Classify(PageTree tree)
    {
        var nodes = tree.Nodes;
        for (var i = 0; i < nodes.Length; i++)
        {
            ref var node = ref nodes[i];
            if (node.Tag == HtmlTag.Text)
                continue;
            var attributes = tree.Attributes(i);
            if (attributes.Length > 0)
                node.Names = Classify(tree.Page, node.Tag, attributes);
            if (node.Tag == HtmlTag.Main)
                node.Names |= NameTraits.Body5;
        }
    }

    private static NameTraits Classify(string page, HtmlTag tag, ReadOnlySpan<AttributeValue> attributes)
    {
        ReadOnlySpan<char> id = default, names = default;
        var traits = NameTraits.None;
        var isIdFirst = false;
        foreach (var attribute in attributes)
        {
            var value = page.AsSpan(attribute.Start, attribute.Length);
            switch (attribute.Name)
            {
                case HtmlAttribute.Id:
                    id = value;
                    isIdFirst = names.IsEmpty;
                    break;
                case HtmlAttribute.Class:
                    names = value;
                    break;
                case HtmlAttribute.Role:
                    traits |= Role(value, tag);
                    break;
                case HtmlAttribute.Style:
                    traits |= Style(value);
                    break;
                case HtmlAttribute.ItemProp when Same(value, "articleBody") && tag.Is(TagTraits.Container):
                    traits |= NameTraits.Body1;
                    break;
                case HtmlAttribute.AriaHidden when Same(value, "true"):
                case HtmlAttribute.Hidden:
                    traits |= NameTraits.Hidden;
                    break;
            }
        }
        if (id.IsEmpty && names.IsEmpty)
            return traits;
        traits |= Readable(id, names);
        if (HiddenNames(id, names))
            traits |= NameTraits.Hidden;
        if (names.Contains("gutter", StringComparison.OrdinalIgnoreCase) || names.Contains("lineno", StringComparison.OrdinalIgnoreCase))
            traits |= NameTraits.Gutter;
        if (tag.Is(TagTraits.Container))
            traits |= Body(id, names);
        if (tag.Is(TagTraits.Prunable) || tag is HtmlTag.Details or HtmlTag.Aside)
            traits |= Boilerplate(tag, id, names, isIdFirst || names.IsEmpty ? id : names);
        return traits;
    }

    private static NameTraits Role(ReadOnlySpan<char> role, HtmlTag tag)
    {
        var traits = NameTraits.None;
        if (role.Contains("nav", StringComparison.OrdinalIgnoreCase) && tag.Is(TagTraits.Prunable))
            traits |= NameTraits.Boilerplate;
        if (role is "presentation" or "none")
            traits |= NameTraits.Presentation;
        if (tag.Is(TagTraits.Container))
        {
            if (role is "article")
                traits |= NameTraits.Body3;
            if (role.StartsWith("main"))
                traits |= NameTraits.Body5;
        }
        return traits;
    }

    private static NameTraits Style(ReadOnlySpan<char> style)
    {
        var traits = style.ContainsAny(HiddenStyle) ? NameTraits.Hidden : NameTraits.None;
        return style.Contains("border", StringComparison.OrdinalIgnoreCase) ? traits | NameTraits.Doubtful : traits;
    }

    private static NameTraits Body(ReadOnlySpan<char> id, ReadOnlySpan<char> names)
    {
        var traits = NameTraits.None;
        if (names is "post" or "entry" || id.ContainsAny(BodyId) || names.ContainsAny(BodyClass))
            traits |= NameTraits.Body1;
        if (id is "article" or "story" || names is "postarea" or "art-postcontent" or "text" or "cell" or "story"
            || id.StartsWith("primary") || id.Contains("story-body", StringComparison.OrdinalIgnoreCase)
            || names.StartsWith("article ") || names.ContainsAny(StoryClass))
            traits |= NameTraits.Body3;
        if (id is "content" || names is "content" || id.ContainsAny(MainContent) || names.ContainsAny(MainContent))
            traits |= NameTraits.Body4;
        if (id.StartsWith("main") || names.StartsWith("main"))
            traits |= NameTraits.Body5;
        return traits;
    }

    private static NameTraits Boilerplate(HtmlTag tag, ReadOnlySpan<char> id, ReadOnlySpan<char> names, ReadOnlySpan<char> first)
    {
        var traits = NameTraits.None;
        if (Starts(id, "comment") || Starts(names, "comment") || Starts(id, "comol") || Starts(id, "disqus_thread")
            || Starts(id, "dsq-comments") || Has(names, "article-comments") || Has(names, "post-comments"))
            traits |= NameTraits.Comments;
        if (Has(id, "infinite-scroll") || Has(id, "infinitescroll") || Has(names, "infinite-scroll") || Has(names, "infinitescroll")
            || Has(id, "post-add-box") || Has(id, "post-add-wrap") || Has(names, "post-add-box") || Has(names, "post-add-wrap"))
            traits |= NameTraits.InfiniteScroll;
        if (!tag.Is(TagTraits.Prunable))
            return traits;
        if (Starts(id, "shar") || Starts(names, "shar") || Starts(id, "jp-") || Starts(names, "nav") || Starts(names, "post-nav")
            || id.ContainsAny(BoilerplateBoth) || names.ContainsAny(BoilerplateBoth) || Has(first, "cookie")
            || id.ContainsAny(BoilerplateId) || names.ContainsAny(BoilerplateClass))
            traits |= NameTraits.Boilerplate;
        else if (Has(id, "social") || names.ContainsAny(EmbeddedWords))
            traits |= NameTraits.Boilerplate | NameTraits.Embedded;
        if (Has(id, "teaser") || Has(names, "teaser"))
            traits |= NameTraits.Teaser;
        if (Has(id, "caption") || Has(names, "caption"))
            traits |= NameTraits.Caption;
        if (HasToken(first, "link", whole: true) || HasToken(first, "bottom", whole: false))
            traits |= NameTraits.Doubtful;
        return traits;
    }

    private static bool HiddenNames(ReadOnlySpan<char> id, ReadOnlySpan<char> names) =>
        Starts(id, "reply-") || (id.IsEmpty && Starts(names, "reply-")) || Has(id, "hidden") || Has(id, "reader-comments")
        || Has(id, "akismet") || Starts(names, "hide-") || names.ContainsAny(HiddenClass);

    private static NameTraits Readable(ReadOnlySpan<char> id, ReadOnlySpan<char> names)
    {
        var traits = NameTraits.None;
        if (id.ContainsAny(PositiveWords) || names.ContainsAny(PositiveWords))
            traits |= NameTraits.Positive;
        if (id.ContainsAny(NegativeWords) || names.ContainsAny(NegativeWords))
            traits |= NameTraits.Negative;
        if ((id.ContainsAny(UnlikelyWords) || names.ContainsAny(UnlikelyWords))
            && !id.ContainsAny(MaybeWords) && !names.ContainsAny(MaybeWords))
            traits |= NameTraits.Unlikely;
        return traits;
    }

    // Whether one of the words between spaces is, or else starts or ends with, a word.
    private static bool HasToken(ReadOnlySpan<char> text, string word, bool whole)
    {
        for (var i = 0; ; i++)
        {
            var found = text[i..].IndexOf(word);
            if (found < 0)
                return false;
            i += found;
            var starts = i == 0 || char.IsWhiteSpace(text[i - 1]);
            var ends = i + word.Length == text.Length || char.IsWhiteSpace(text[i + word.Length]);
            if (whole ? starts && ends : starts || ends)
                return true;
        }
    }

    private static bool Has(ReadOnlySpan<char> text, string word) => text.Contains(word, StringComparison.OrdinalIgnoreCase);

    private static bool Starts(ReadOnlySpan<char> text, string word) => text.StartsWith(word, StringComparison.OrdinalIgnoreCase);

    private static bool Same(ReadOnlySpan<char> text, string word) => text.Equals(word, StringComparison.OrdinalIgnoreCase);

    private static SearchValues<string> Words(string words) =>
        SearchValues.Create(words.Split(' '), StringComparison.OrdinalIgnoreCase);
}

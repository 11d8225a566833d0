using System.Buffers;

namespace Finery.Data.Extraction;

/// <summary>
/// Reads ids, classes and other attributes for what they tell. The words are those that themes of content management systems and
/// advertising networks share; none is of a single site.
/// </summary>
internal static class NameRules
{
    private static readonly WordMatcher Matcher = new(
    [
        (Group.BodyId, Split(
            "entry-content article-content art-content article__content article-body article__body articlebody " +
            "body-text articlecontent")),
        (Group.BodyClass, Split(
            "post-text post_text posttext post-body post_body postbody post-entry postentry post-content post_content " +
            "postcontent post_inner_wrapper article-text articletext entry-content page-content text-content article-content " +
            "art-content article__content articlecontent article-body article__body articlebody body-text article__container")),
        (Group.StoryId, ["story-body"]),
        (Group.StoryClass, Split(
            "fulltext post-bodycopy story-content storycontent theme-content blog-content section-content single-content " +
            "single-post main-column wpb_text_column story-body field-body")),
        (Group.Main, Split(
            "content-main content_main content-body content__body contentbody main-content page-content")),
        (Group.Boilerplate, Split("viral newsletter syndication tags sidebar banner breadcrumb bread-crumb button author")),
        (Group.BoilerplateId, Split("footer share nav menu related message-container premium")),
        (Group.BoilerplateClass,
            [
                .. Split("subnav avigation navbar navbox menu bar -ad- outbrain taboola criteo paid-content paidcontent " +
                    "footer byline share- sociable tag-list consent modal-content permission elated next- -stories " +
                    "most-popular meta rating attachment timestamp user-info user-profile -icon article-infos " +
                    "message-container slide viewport overlay options expand obfuscated blurred"),
                " ad ",
            ]),
        (Group.Social, ["social"]),
        (Group.EmbeddedClass, Split("embed widget")),
        (Group.Cookie, ["cookie"]),
        (Group.HiddenId, Split("hidden reader-comments akismet")),
        (Group.HiddenClass,
            [
                "comments-title", "nocomments", "-reply-", "message", "akismet", "suggest-links", "-hide-", "hide-print",
                " hidden", " hide", "noprint", "notloaded",
            ]),
        (Group.CommentsClass, Split("article-comments post-comments")),
        (Group.InfiniteScroll, Split("infinite-scroll infinitescroll post-add-box post-add-wrap")),
        (Group.Teaser, ["teaser"]),
        (Group.Caption, ["caption"]),
        (Group.Gutter, Split("gutter lineno")),
        // The words of the fallback are Readability's.
        (Group.Unlikely, Split(
            "combx comment community disqus extra foot header menu remark rss shoutbox sidebar sponsor ad-break agegate " +
            "pagination pager popup tweet twitter")),
        (Group.Maybe, Split("and article body column main shadow")),
        (Group.Positive, Split("article body content entry main page post text blog story")),
        (Group.Negative, Split(
            "button combx comment com- contact figure foot form input masthead media meta outbrain promo related scroll " +
            "shoutbox sidebar sponsor shopping tags tool widget")),
    ]);

    private static readonly SearchValues<string> HiddenStyle = SearchValues.Create(
        ["display:none", "display: none", "visibility:hidden", "visibility: hidden"], StringComparison.OrdinalIgnoreCase);

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
        var (inId, inNames) = (Matcher.Match(id), Matcher.Match(names));
        traits |= Readable(inId | inNames) | Hidden(id, names, inId, inNames);
        if (tag is HtmlTag.Td or HtmlTag.Pre or HtmlTag.Span && ((inId | inNames) & Group.Gutter) != 0)
            traits |= NameTraits.Gutter;
        if (tag.Is(TagTraits.Container))
            traits |= Body(id, names, inId, inNames);
        if (tag.Is(TagTraits.List) || tag is HtmlTag.Div or HtmlTag.Section or HtmlTag.Details or HtmlTag.Aside)
            traits |= Sections(id, names, inId, inNames);
        if (tag.Is(TagTraits.Prunable))
        {
            traits |= Boilerplate(id, names, inId, inNames);
            var first = isIdFirst || names.IsEmpty ? id : names;
            if (((isIdFirst || names.IsEmpty ? inId : inNames) & Group.Cookie) != 0)
                traits |= NameTraits.Boilerplate;
            if (HasToken(first, "link", whole: true) || HasToken(first, "bottom", whole: false))
                traits |= NameTraits.Doubtful;
        }
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

    private static NameTraits Body(ReadOnlySpan<char> id, ReadOnlySpan<char> names, uint inId, uint inNames)
    {
        var traits = NameTraits.None;
        if (names is "post" or "entry" || (inId & Group.BodyId) != 0 || (inNames & Group.BodyClass) != 0)
            traits |= NameTraits.Body1;
        if (id is "article" or "story" || names is "postarea" or "art-postcontent" or "text" or "cell" or "story"
            || id.StartsWith("primary") || names.StartsWith("article ") || (inId & Group.StoryId) != 0
            || (inNames & Group.StoryClass) != 0)
            traits |= NameTraits.Body3;
        if (id is "content" || names is "content" || ((inId | inNames) & Group.Main) != 0)
            traits |= NameTraits.Body4;
        if (id.StartsWith("main") || names.StartsWith("main"))
            traits |= NameTraits.Body5;
        return traits;
    }

    private static NameTraits Sections(ReadOnlySpan<char> id, ReadOnlySpan<char> names, uint inId, uint inNames)
    {
        var traits = NameTraits.None;
        if (Starts(id, "comment") || Starts(names, "comment") || Starts(id, "comol") || Starts(id, "disqus_thread")
            || Starts(id, "dsq-comments") || (inNames & Group.CommentsClass) != 0)
            traits |= NameTraits.Comments;
        if (((inId | inNames) & Group.InfiniteScroll) != 0)
            traits |= NameTraits.InfiniteScroll;
        return traits;
    }

    private static NameTraits Boilerplate(ReadOnlySpan<char> id, ReadOnlySpan<char> names, uint inId, uint inNames)
    {
        var traits = NameTraits.None;
        if (((inId | inNames) & Group.Boilerplate) != 0 || (inId & Group.BoilerplateId) != 0
            || (inNames & Group.BoilerplateClass) != 0 || Starts(id, "shar") || Starts(names, "shar") || Starts(id, "jp-")
            || Starts(names, "nav") || Starts(names, "post-nav"))
            traits |= NameTraits.Boilerplate;
        else if (((inId | inNames) & Group.Social) != 0 || (inNames & Group.EmbeddedClass) != 0)
            traits |= NameTraits.Boilerplate | NameTraits.Embedded;
        if (((inId | inNames) & Group.Teaser) != 0)
            traits |= NameTraits.Teaser;
        if (((inId | inNames) & Group.Caption) != 0)
            traits |= NameTraits.Caption;
        return traits;
    }

    private static NameTraits Hidden(ReadOnlySpan<char> id, ReadOnlySpan<char> names, uint inId, uint inNames)
    {
        var isHidden = (inId & Group.HiddenId) != 0 || (inNames & Group.HiddenClass) != 0 || Starts(names, "hide-")
            || Starts(id, "reply-") || (id.IsEmpty && Starts(names, "reply-"));
        return isHidden ? NameTraits.Hidden : NameTraits.None;
    }

    private static NameTraits Readable(uint found)
    {
        var traits = NameTraits.None;
        if ((found & Group.Positive) != 0)
            traits |= NameTraits.Positive;
        if ((found & Group.Negative) != 0)
            traits |= NameTraits.Negative;
        if ((found & (Group.Unlikely | Group.Maybe)) == Group.Unlikely)
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

    private static bool Starts(ReadOnlySpan<char> text, string word) => text.StartsWith(word, StringComparison.OrdinalIgnoreCase);

    private static bool Same(ReadOnlySpan<char> text, string word) => text.Equals(word, StringComparison.OrdinalIgnoreCase);

    private static string[] Split(string words) => words.Split(' ');

    /// <summary>Groups of words, by the attribute they tell something in.</summary>
    private static class Group
    {
        public const uint BodyId = 1;
        public const uint BodyClass = 1 << 1;
        public const uint StoryId = 1 << 2;
        public const uint StoryClass = 1 << 3;
        public const uint Main = 1 << 4;
        public const uint Boilerplate = 1 << 5;
        public const uint BoilerplateId = 1 << 6;
        public const uint BoilerplateClass = 1 << 7;
        public const uint Social = 1 << 8;
        public const uint EmbeddedClass = 1 << 9;
        public const uint Cookie = 1 << 10;
        public const uint HiddenId = 1 << 11;
        public const uint HiddenClass = 1 << 12;
        public const uint CommentsClass = 1 << 13;
        public const uint InfiniteScroll = 1 << 14;
        public const uint Teaser = 1 << 15;
        public const uint Caption = 1 << 16;
        public const uint Gutter = 1 << 17;
        public const uint Unlikely = 1 << 18;
        public const uint Maybe = 1 << 19;
        public const uint Positive = 1 << 20;
        public const uint Negative = 1 << 21;
    }
}

namespace Finery.Data.Extraction;

/// <summary>Elements the extraction tells apart; <see cref="Text"/> is a text node, <see cref="Unknown"/> any other
/// element.</summary>
internal enum HtmlTag : byte
{
    Text, Unknown,
    A, Abbr, Acronym, Address, Annotation, AnnotationXml, Applet, Area, Article, Aside, Audio, B, Base, Bdi, Bdo, Big,
    Blink, Blockquote, Body, Br, Button, Canvas, Caption, Center, Cite, Code, Col, Colgroup, Data, Datalist, Dd, Del,
    Desc, Details, Dfn, Dialog, Dir, Div, Dl, Dt, Em, Embed, Fencedframe, Fieldset, Figcaption, Figure, Font, Footer,
    ForeignObject, Form, Frame, Frameset, H1, H2, H3, H4, H5, H6, Head, Header, Hgroup, Hr, Html, I, Iframe, Img, Input,
    Ins, Kbd, Keygen, Label, Legend, Li, Link, Main, Map, Mark, Marquee, Math, Menu, Menuitem, Meta, Meter, Nav, Nobr,
    Noembed, Noframes, Noindex, Noscript, Object, Ol, Optgroup, Option, Output, P, Param, Picture, Plaintext, Pre,
    Progress, Q, Rp, Rt, Rtc, Ruby, S, Samp, Script, Search, Section, Select, Small, Source, Span, Strike, Strong,
    Style, Sub, Summary, Sup, Svg, Table, Tbody, Td, Template, Textarea, Tfoot, Th, Thead, Time, Title, Tr, Track, Tt,
    U, Ul, Use, Var, Video, Wbr, Xmp,
}

/// <summary>Attributes the extraction reads.</summary>
internal enum HtmlAttribute : byte
{
    None, Alt, AltText, AriaHidden, Class, Content, Display, Encoding, Hidden, Href, Id, ItemProp, Lang, Name, Property, Role,
    Style, Type,
}

/// <summary>What is known of each element.</summary>
[Flags]
internal enum TagTraits
{
    None = 0,

    /// <summary>Has no content and no end tag.</summary>
    Void = 1,

    /// <summary>Starts and ends a line.</summary>
    Block = 1 << 1,

    /// <summary>Its start tag ends an open paragraph.</summary>
    EndsParagraph = 1 << 2,

    /// <summary>Its content is text up to its end tag, and of no use here.</summary>
    RawText = 1 << 3,

    /// <summary>May stand in the head.</summary>
    HeadContent = 1 << 4,

    /// <summary>No end tag reaches beyond it, unless it is one of a table's.</summary>
    Scope = 1 << 5,

    /// <summary>Marks text; a misplaced end tag of it closes nothing else.</summary>
    Formatting = 1 << 6,

    /// <summary>Never holds running text of an article: deleted with all it holds.</summary>
    Deleted = 1 << 7,

    /// <summary>One of <c>h1</c> to <c>h6</c>.</summary>
    Heading = 1 << 8,

    /// <summary>An entry of a list.</summary>
    Item = 1 << 9,

    /// <summary>A list.</summary>
    List = 1 << 10,

    /// <summary>A cell of a table.</summary>
    Cell = 1 << 11,

    /// <summary>Structure of a table: white space between its children means nothing.</summary>
    TableStructure = 1 << 12,

    /// <summary>May be the body of an article: <c>article</c>, <c>div</c>, <c>main</c>, <c>section</c>.</summary>
    Container = 1 << 13,

    /// <summary>Ids and classes tell whether it is boilerplate.</summary>
    Prunable = 1 << 14,
}

/// <summary>Names to elements and attributes, and what is known of elements.</summary>
internal static class HtmlNames
{
    private static readonly TagTraits[] Traits = FillTraits();

    private static readonly NameTable Tags = new(
        Enum.GetValues<HtmlTag>().Where(tag => tag > HtmlTag.Unknown)
            .Select(tag => (tag == HtmlTag.AnnotationXml ? "annotation-xml" : tag.ToString().ToLowerInvariant(), (byte)tag)));

    private static readonly NameTable Attributes = new(
        Enum.GetValues<HtmlAttribute>().Where(name => name != HtmlAttribute.None)
            .Select(name => (name == HtmlAttribute.AriaHidden ? "aria-hidden" : name.ToString().ToLowerInvariant(), (byte)name)));

    /// <summary>An element's traits.</summary>
    public static TagTraits Of(HtmlTag tag) => Traits[(int)tag];

    /// <summary>Whether an element has any of some traits.</summary>
    public static bool Is(this HtmlTag tag, TagTraits traits) => (Traits[(int)tag] & traits) != 0;

    /// <summary>The element of a name in any case.</summary>
    public static HtmlTag Tag(ReadOnlySpan<char> name) => Tags.TryGet(name, out var tag) ? (HtmlTag)tag : HtmlTag.Unknown;

    /// <summary>The attribute of a name in any case; <see cref="HtmlAttribute.None"/> if it is not read.</summary>
    public static HtmlAttribute Attribute(ReadOnlySpan<char> name) =>
        Attributes.TryGet(name, out var attribute) ? (HtmlAttribute)attribute : HtmlAttribute.None;

    private static TagTraits[] FillTraits()
    {
        var traits = new TagTraits[256];
        Add(TagTraits.Void, "area base br col embed frame hr img input keygen link meta param source track wbr");
        Add(TagTraits.Block, "address article aside blockquote body center dd details dialog dir div dl dt fieldset " +
            "figcaption figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr html legend li main menu nav ol optgroup option " +
            "p plaintext pre search section summary table caption tbody td tfoot th thead tr ul xmp noindex head title");
        Add(TagTraits.EndsParagraph, "address article aside blockquote center details dialog dir div dl dd dt fieldset " +
            "figcaption figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr li main menu nav ol p plaintext " +
            "pre search section summary table ul xmp");
        Add(TagTraits.RawText, "script style noscript noembed noframes iframe xmp");
        Add(TagTraits.HeadContent, "head html title meta link script style base noscript template");
        Add(TagTraits.Scope, "applet caption html table td th marquee object template foreignobject annotation-xml");
        Add(TagTraits.Formatting,
            "a b big code em font i nobr s small strike strong tt u span abbr cite mark sub sup q kbd samp var label time");
        Add(TagTraits.Deleted, "area applet aside audio blink button canvas datalist dialog embed fencedframe fieldset " +
            "figcaption footer frame frameset head iframe input label legend link map marquee menu menuitem meter nav noembed " +
            "noframes noindex noscript object optgroup option output param picture progress rp rt rtc search select source " +
            "style svg template textarea time title track use video");
        Add(TagTraits.Heading, "h1 h2 h3 h4 h5 h6");
        Add(TagTraits.Item, "li dd dt");
        Add(TagTraits.List, "ul ol dl dir");
        Add(TagTraits.Cell, "td th");
        Add(TagTraits.TableStructure, "table tbody thead tfoot tr colgroup ul ol dl select optgroup html head");
        Add(TagTraits.Container, "article div main section");
        Add(TagTraits.Prunable, "div li dd dt ul ol dl p section span");
        return traits;

        void Add(TagTraits trait, string names)
        {
            foreach (var name in names.Split(' '))
                traits[(int)Enum.Parse<HtmlTag>(name.Replace("-", ""), ignoreCase: true)] |= trait;
        }
    }

    /// <summary>A small closed hash table from ASCII names of at most 16 letters, whatever their case.</summary>
    private sealed class NameTable
    {
        private const int Size = 512;
        private const int LongestName = 16;
        private readonly UInt128[] _keys = new UInt128[Size];
        private readonly byte[] _values = new byte[Size];

        public NameTable(IEnumerable<(string Name, byte Value)> names)
        {
            foreach (var (name, value) in names)
            {
                var key = Pack(name);
                var slot = Slot(key);
                while (_keys[slot] != 0)
                    slot = (slot + 1) % Size;
                _keys[slot] = key;
                _values[slot] = value;
            }
        }

        public bool TryGet(ReadOnlySpan<char> name, out byte value)
        {
            value = 0;
            if (name.Length is 0 or > LongestName)
                return false;
            var key = Pack(name);
            if (key == 0)
                return false;
            for (var slot = Slot(key); _keys[slot] != 0; slot = (slot + 1) % Size)
            {
                if (_keys[slot] == key)
                {
                    value = _values[slot];
                    return true;
                }
            }
            return false;
        }

        private static int Slot(UInt128 key) =>
            (int)((((ulong)key ^ (ulong)(key >> 64)) * 0x9E3779B97F4A7C15) >> 55);

        private static UInt128 Pack(ReadOnlySpan<char> name)
        {
            ulong low = 0, high = 0;
            for (var i = 0; i < name.Length; i++)
            {
                var c = name[i];
                if (c >= 128)
                    return 0;
                var lower = (ulong)(uint)(c - 'A' <= 'Z' - 'A' && c >= 'A' ? c | 0x20 : c);
                if (i < 8)
                    low |= lower << (8 * i);
                else
                    high |= lower << (8 * (i - 8));
            }
            return new UInt128(high, low);
        }
    }
}

using System.Globalization;
using System.Text;

namespace Finery.Data.Filters.Segmentation;

/// <summary>What the characters of a word have in common, or say of it.</summary>
[Flags]
internal enum WordFlags : byte
{
    /// <summary>White space in Python's sense; no word has any.</summary>
    Space = 1,

    /// <summary>An ASCII digit.</summary>
    Digit = 2,

    /// <summary>May be cut off, or cut at, or part of an address: a piece without any of these is a word as it stands, unless
    /// it is one of the exceptions or ends in a unit.</summary>
    Active = 4,

    /// <summary>A letter (category L).</summary>
    Letter = 8,

    /// <summary>A character that is no symbol in the sense of <see cref="CharacterSets.IsSymbol"/>.</summary>
    NonSymbol = 16,

    /// <summary>Half of a surrogate pair: the word has fewer code points than UTF-16 units.</summary>
    Surrogate = 32,

    /// <summary>A character outside the punctuation categories (P).</summary>
    NonPunctuation = 64,

    /// <summary>Of a character: it ends a sentence. Of a word: it is one such character.</summary>
    SentenceEnd = 128,
}

/// <summary>What the rules of word splitting say of a code point.</summary>
[Flags]
internal enum WordRoles : byte
{
    /// <summary>Letter of no case or lower case, in the rules' own sense.</summary>
    Lower = 1,

    /// <summary>Letter of no case or upper case, in the rules' own sense.</summary>
    Upper = 2,

    /// <summary>Letter, in the rules' own sense.</summary>
    Alpha = 4,

    /// <summary>Symbol or emoji.</summary>
    Icon = 8,

    /// <summary>Quotation mark or bracket.</summary>
    Quote = 16,

    /// <summary>A full stop after it is a word of its own.</summary>
    BeforeStop = 32,

    /// <summary>Cut off in front.</summary>
    Prefix = 64,

    /// <summary>Cut off behind.</summary>
    Suffix = 128,
}

/// <summary>Tables of <see cref="WordFlags"/> and <see cref="WordRoles"/>. The classes are facts of spaCy 3.8 and are read from
/// <c>WordCharacters.txt</c>.</summary>
internal static class WordCharacters
{
    // What a prefix, suffix, infix or address rule names besides the classes of the file.
    private const string ActiveCharacters = "§%=—–+'’.*^-~:<>/@°\\|";

    private static readonly Dictionary<string, string[]> s_classes = Load();

    /// <summary>By UTF-16 unit.</summary>
    public static readonly byte[] Flags = new byte[0x10000];

    /// <summary>By code point.</summary>
    public static readonly byte[] Roles = new byte[0x110000];

    /// <summary>Currency signs of one or more characters.</summary>
    public static readonly string[] Currencies = s_classes["currency"];

    /// <summary>What is cut off behind a digit: units of measurement and currency signs.</summary>
    public static readonly HashSet<string>.AlternateLookup<ReadOnlySpan<char>> AfterDigit =
        new HashSet<string>([.. s_classes["units"], .. Currencies], StringComparer.Ordinal)
            .GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>Longest of <see cref="AfterDigit"/>, in UTF-16 units.</summary>
    public static readonly int LongestAfterDigit = s_classes["units"].Concat(Currencies).Max(unit => unit.Length);

    static WordCharacters()
    {
        Mark("lower", WordRoles.Lower);
        Mark("upper", WordRoles.Upper);
        Mark("alpha", WordRoles.Alpha);
        Mark("before-dot", WordRoles.BeforeStop);
        Mark("icons", WordRoles.Icon | WordRoles.Prefix | WordRoles.Suffix);
        Mark("quotes", WordRoles.Quote | WordRoles.Prefix | WordRoles.Suffix);
        Mark("punctuation", WordRoles.Prefix | WordRoles.Suffix);
        foreach (var c in "—–")
            Roles[c] |= (byte)(WordRoles.Prefix | WordRoles.Suffix);
        foreach (var c in "§%=" + string.Concat(Currencies.Where(sign => sign.Length == 1)))
            Roles[c] |= (byte)WordRoles.Prefix;
        for (var c = 0; c < Flags.Length; c++)
            Flags[c] = (byte)FlagsOf((char)c);
        foreach (var codePoint in CodePoints("sentence-end").Where(codePoint => codePoint < Flags.Length))
            Flags[codePoint] |= (byte)WordFlags.SentenceEnd;
    }

    /// <summary>Role of the code point that begins a text.</summary>
    public static WordRoles RoleAt(ReadOnlySpan<char> text, out int length)
    {
        if (char.IsHighSurrogate(text[0]) && text.Length > 1 && char.IsLowSurrogate(text[1]))
        {
            length = 2;
            return (WordRoles)Roles[char.ConvertToUtf32(text[0], text[1])];
        }
        length = 1;
        return (WordRoles)Roles[text[0]];
    }

    /// <summary>Role of the code point that ends a text.</summary>
    public static WordRoles RoleBefore(ReadOnlySpan<char> text, out int length)
    {
        if (char.IsLowSurrogate(text[^1]) && text.Length > 1 && char.IsHighSurrogate(text[^2]))
        {
            length = 2;
            return (WordRoles)Roles[char.ConvertToUtf32(text[^2], text[^1])];
        }
        length = 1;
        return (WordRoles)Roles[text[^1]];
    }

    /// <summary>What the flags of a word with surrogates are.</summary>
    public static WordFlags FlagsOfWide(ReadOnlySpan<char> word)
    {
        var flags = WordFlags.Surrogate;
        var count = 0;
        var ends = false;
        foreach (var rune in word.EnumerateRunes())
        {
            count++;
            ends = s_wideSentenceEnds.Contains(rune.Value);
            flags |= Rune.IsLetter(rune) ? WordFlags.Letter : 0;
            flags |= CharacterSets.IsSymbol(rune.Value) ? 0 : WordFlags.NonSymbol;
            flags |= Rune.IsPunctuation(rune) ? 0 : WordFlags.NonPunctuation;
        }
        return ends && count == 1 ? flags | WordFlags.SentenceEnd : flags;
    }

    private static readonly HashSet<int> s_wideSentenceEnds = [.. CodePoints("sentence-end").Where(c => c > 0xFFFF)];

    private static WordFlags FlagsOf(char c)
    {
        if (char.IsSurrogate(c))
            return WordFlags.Surrogate | WordFlags.Active | WordFlags.NonSymbol | WordFlags.NonPunctuation;
        var cutting = WordRoles.Prefix | WordRoles.Suffix | WordRoles.Icon | WordRoles.Quote;
        return (CharacterSets.IsSpace(c) ? WordFlags.Space : 0)
            | (char.IsAsciiDigit(c) ? WordFlags.Digit : 0)
            | (((WordRoles)Roles[c] & cutting) != 0 || ActiveCharacters.Contains(c) ? WordFlags.Active : 0)
            | (char.IsLetter(c) ? WordFlags.Letter : 0)
            | (CharacterSets.IsSymbol(c) ? 0 : WordFlags.NonSymbol)
            | (char.IsPunctuation(c) ? 0 : WordFlags.NonPunctuation);
    }

    private static void Mark(string name, WordRoles roles)
    {
        foreach (var codePoint in CodePoints(name))
            Roles[codePoint] |= (byte)roles;
    }

    private static IEnumerable<int> CodePoints(string name) => s_classes[name].SelectMany(range =>
    {
        var ends = range.Split('-');
        var first = int.Parse(ends[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        var last = int.Parse(ends[^1], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        return Enumerable.Range(first, last - first + 1);
    });

    /// <summary>Name to items: a line <c>name: item item</c>, continued on lines that begin with a blank.</summary>
    private static Dictionary<string, string[]> Load()
    {
        var text = new Dictionary<string, string>();
        var name = "";
        foreach (var line in ResourceLines.Of("WordCharacters.txt"))
        {
            if (line[0] == ' ')
            {
                text[name] += line;
                continue;
            }
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            name = line[..colon];
            text[name] = line[(colon + 1)..];
        }
        return text.ToDictionary(pair => pair.Key, pair => pair.Value.Split(' ', StringSplitOptions.RemoveEmptyEntries));
    }
}

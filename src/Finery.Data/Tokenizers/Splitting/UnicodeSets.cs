using System.Globalization;
using System.Text;

namespace Finery.Data.Tokenizers;

/// <summary>The sets of code points that expressions name: general categories and simple case folding from the runtime's own
/// Unicode tables, and the few properties those lack from constants of Unicode 16.0, the same version.</summary>
internal static class UnicodeSets
{
    // the order of System.Globalization.UnicodeCategory
    private const string CategoryNames = "LuLlLtLmLoMnMcMeNdNlNoZsZlZpCcCfCsCoPcPdPsPePiPfPoSmScSkSoCn";

    private static readonly Lazy<CodePointSet[]> Categories = new(BuildCategories);
    private static readonly Lazy<Dictionary<int, int[]>> CaseVariants = new(BuildCaseVariants);

    // PropertyValueAliases.txt, the gc lines; spelled as Compact leaves them
    private static readonly Dictionary<string, string> LongNames = new()
    {
        ["letter"] = "L", ["casedletter"] = "LC", ["uppercaseletter"] = "Lu", ["lowercaseletter"] = "Ll",
        ["titlecaseletter"] = "Lt", ["modifierletter"] = "Lm", ["otherletter"] = "Lo", ["mark"] = "M", ["combiningmark"] = "M",
        ["nonspacingmark"] = "Mn", ["spacingmark"] = "Mc", ["enclosingmark"] = "Me", ["number"] = "N", ["decimalnumber"] = "Nd",
        ["letternumber"] = "Nl", ["othernumber"] = "No", ["separator"] = "Z", ["spaceseparator"] = "Zs",
        ["lineseparator"] = "Zl", ["paragraphseparator"] = "Zp", ["other"] = "C", ["control"] = "Cc", ["format"] = "Cf",
        ["surrogate"] = "Cs", ["privateuse"] = "Co", ["unassigned"] = "Cn", ["punctuation"] = "P",
        ["connectorpunctuation"] = "Pc", ["dashpunctuation"] = "Pd", ["openpunctuation"] = "Ps", ["closepunctuation"] = "Pe",
        ["initialpunctuation"] = "Pi", ["finalpunctuation"] = "Pf", ["otherpunctuation"] = "Po", ["symbol"] = "S",
        ["mathsymbol"] = "Sm", ["currencysymbol"] = "Sc", ["modifiersymbol"] = "Sk", ["othersymbol"] = "So",
    };

    // Scripts.txt of Unicode 16.0: the scripts that patterns of tokenizers single out
    private static readonly Dictionary<string, CodePointSet> Scripts = new()
    {
        ["han"] = Hex("2E80-2E99 2E9B-2EF3 2F00-2FD5 3005 3007 3021-3029 3038-303B 3400-4DBF 4E00-9FFF F900-FA6D FA70-FAD9 " +
            "16FE2-16FE3 16FF0-16FF1 20000-2A6DF 2A700-2B739 2B740-2B81D 2B820-2CEA1 2CEB0-2EBE0 2EBF0-2EE5D 2F800-2FA1D " +
            "30000-3134A 31350-323AF"),
        ["hiragana"] = Hex("3041-3096 309D-309F 1B001-1B11F 1B132 1B150-1B152 1F200"),
        ["katakana"] = Hex("30A1-30FA 30FD-30FF 31F0-31FF 32D0-32FE 3300-3357 FF66-FF6F FF71-FF9D 1AFF0-1AFF3 1AFF5-1AFFB " +
            "1AFFD-1AFFE 1B000 1B120-1B122 1B155 1B164-1B167"),
        ["hangul"] = Hex("1100-11FF 302E-302F 3131-318E 3200-321E 3260-327E A960-A97C AC00-D7A3 D7B0-D7C6 D7CB-D7FB FFA0-FFBE " +
            "FFC2-FFC7 FFCA-FFCF FFD2-FFD7 FFDA-FFDC"),
    };

    /// <summary><c>\s</c>: White_Space.</summary>
    public static CodePointSet WhiteSpace { get; } = Hex("9-D 20 85 A0 1680 2000-200A 2028-2029 202F 205F 3000");

    /// <summary><c>\d</c>: decimal digits.</summary>
    public static CodePointSet Digits => Named("Nd")!;

    /// <summary><c>\w</c> of Unicode's annex 18: alphabetic, marks, decimal digits, connectors, joiners; and as Oniguruma, which HF
    /// uses, has it, the superscripts and fractions of Latin-1 (found by comparing). The hexadecimal ranges are those, the joiners and
    /// the circled letters, which are alphabetic without being letters.</summary>
    public static CodePointSet WordCharacters { get; } = new[] { "L", "M", "Nd", "Nl", "Pc" }
        .Aggregate(Hex("B2-B3 B9 BC-BE 200C-200D 24B6-24E9 1F130-1F149 1F150-1F169 1F170-1F189"), (set, name) => set.Union(Named(name)!));

    /// <summary>The set of <c>\p{name}</c>, or null where the name is not known here.</summary>
    public static CodePointSet? Named(string name)
    {
        string compact = Compact(name);
        int equals = compact.IndexOf('=');
        string property = equals < 0 ? "" : compact[..equals], value = compact[(equals + 1)..];
        return property switch
        {
            "" => Category(value) ?? Scripts.GetValueOrDefault(value) ?? Other(value),
            "gc" or "generalcategory" => Category(value),
            "sc" or "script" => Scripts.GetValueOrDefault(value),
            _ => null,
        };
    }

    /// <summary>The set with all that differs from a member in case only (simple folding): k, K and the Kelvin sign are one.</summary>
    public static CodePointSet IgnoreCase(CodePointSet set)
    {
        List<(int, int)>? added = null;
        foreach ((int codePoint, int[] variants) in CaseVariants.Value)
        {
            if (set.Contains(codePoint)) (added ??= []).AddRange(variants.Select(variant => (variant, variant)));
        }
        return added is null ? set : set.Union(CodePointSet.OfRanges(added));
    }

    private static CodePointSet? Category(string value)
    {
        string name = LongNames.GetValueOrDefault(value, value);
        if (name is "lc" or "LC" or "l&") return Named("Lu")!.Union(Named("Ll")!).Union(Named("Lt")!);
        if (name.Length is not (1 or 2)) return null;
        CodePointSet? union = null;
        for (int i = 0; i < CategoryNames.Length; i += 2)
        {
            if (CategoryNames.AsSpan(i, name.Length).Equals(name, StringComparison.OrdinalIgnoreCase))
                union = Categories.Value[i / 2].Union(union ?? CodePointSet.Empty);
        }
        return union;
    }

    private static CodePointSet? Other(string value) => value switch
    {
        "any" => CodePointSet.All,
        "assigned" => Named("Cn")!.Negate(),
        "ascii" => CodePointSet.Of(0, 0x7F),
        "whitespace" or "wspace" or "space" => WhiteSpace,
        _ => null,
    };

    /// <summary>Names match whatever their case, blanks, hyphens and underscores.</summary>
    private static string Compact(string name) =>
        string.Concat(name.Where(c => c is not (' ' or '-' or '_'))).ToLowerInvariant();

    private static CodePointSet Hex(string ranges) => CodePointSet.OfRanges(ranges.Split(' ').Select(range =>
    {
        int[] ends = [.. range.Split('-').Select(end => int.Parse(end, NumberStyles.HexNumber, CultureInfo.InvariantCulture))];
        return (ends[0], ends[^1]);
    }));

    private static CodePointSet[] BuildCategories()
    {
        var ranges = new List<(int From, int To)>[CategoryNames.Length / 2];
        for (int i = 0; i < ranges.Length; i++) ranges[i] = [];
        for (int c = 0; c < 0x110000;)
        {
            int from = c;
            UnicodeCategory category = CharUnicodeInfo.GetUnicodeCategory(c);
            while (c < 0x110000 && CharUnicodeInfo.GetUnicodeCategory(c) == category) c++;
            ranges[(int)category].Add((from, c - 1));
        }
        return [.. ranges.Select(CodePointSet.OfRanges)];
    }

    /// <summary>Each code point whose case can change to the others like it. Letters are alike when upper- or lower-casing leads
    /// from one to the other; CaseFolding.txt leaves out the dotted I and the dotless i.</summary>
    private static Dictionary<int, int[]> BuildCaseVariants()
    {
        var groups = new Dictionary<int, List<int>>();
        for (int c = 0; c < 0x110000; c++)
        {
            if (c is 0x130 or 0x131 || !Rune.IsValid(c)) continue;
            var rune = new Rune(c);
            Join(c, Rune.ToLowerInvariant(rune).Value);
            Join(c, Rune.ToUpperInvariant(rune).Value);
        }
        // pairs the runtime's invariant casing does not fold, as they would lead into or out of ASCII
        Join(0x17F, 's');
        Join(0x212A, 'k');
        return groups.ToDictionary(group => group.Key, group => group.Value.Where(c => c != group.Key).ToArray());

        void Join(int a, int b)
        {
            if (a == b) return;
            List<int> left = Group(a), right = Group(b);
            if (left == right) return;
            left.AddRange(right);
            foreach (int c in right) groups[c] = left;
        }

        List<int> Group(int c) => groups.TryGetValue(c, out List<int>? group) ? group : groups[c] = [c];
    }
}

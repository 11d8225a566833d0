namespace Finery.Data.Filters.Formatters.Repair;

/// <summary>What part a character plays in mojibake of UTF-8, by which other characters it is unlikely to stand beside.</summary>
[Flags]
internal enum MojibakeClass : ushort
{
    None = 0,
    Common = 1,
    C1 = 2,
    Bad = 4,
    Law = 8,
    Currency = 16,
    Start = 32,
    End = 64,
    Numeric = 128,
    Kaomoji = 256,
    Upper = 512,
    Lower = 1024,
    UpperScript = 2048,
    LowerScript = 4096,
    Box = 8192,
}

/// <summary>
/// Classes of the characters that UTF-8 turns into when it is read by one of the single-byte encodings, and which may follow
/// which: the categories of ftfy 6.3 by Robyn Speer (Apache-2.0).
/// </summary>
internal static class MojibakeClasses
{
    private const MojibakeClass Accented = MojibakeClass.Upper | MojibakeClass.Lower;
    private const MojibakeClass Signs =
        MojibakeClass.Start | MojibakeClass.End | MojibakeClass.Currency | MojibakeClass.Numeric | MojibakeClass.Law;

    // After a character of one class, these classes are unlikely.
    private static readonly (MojibakeClass First, MojibakeClass Second)[] s_unlikely =
    [
        (MojibakeClass.Bad | Accented | MojibakeClass.Box | Signs, MojibakeClass.Bad),
        (MojibakeClass.Bad, Accented | MojibakeClass.Box | Signs),
        (MojibakeClass.Lower | MojibakeClass.LowerScript | MojibakeClass.Box | MojibakeClass.End | MojibakeClass.Currency
            | MojibakeClass.Numeric, MojibakeClass.Upper),
        (MojibakeClass.Box | MojibakeClass.End | MojibakeClass.Currency | MojibakeClass.Numeric, MojibakeClass.Lower),
        (MojibakeClass.Lower | MojibakeClass.Box | MojibakeClass.End, MojibakeClass.Currency),
        (MojibakeClass.Upper | MojibakeClass.Box, MojibakeClass.Numeric | MojibakeClass.Law),
        (MojibakeClass.Currency | MojibakeClass.Numeric | MojibakeClass.Box, MojibakeClass.Start),
        (MojibakeClass.Box, MojibakeClass.Kaomoji | MojibakeClass.End),
        (Accented | Signs, MojibakeClass.Box),
    ];

    private static readonly (MojibakeClass Class, string Ranges)[] s_members =
    [
        (MojibakeClass.Common, "\u00A0 \u00AD · ´ – — ― … ’"),
        (MojibakeClass.C1, "\u0080-\u009F"),
        (MojibakeClass.Bad, "¦ ¤ ¨ ¬ ¯ ¸ ƒ ˆ ˇ ˘ ˛ ˜ † ‡ ‰ ⌐ ◊ \uFFFD ª º"),
        (MojibakeClass.Law, "¶ §"),
        (MojibakeClass.Currency, "¢ £ ¥ ₧ €"),
        (MojibakeClass.Start, "¡ « ¿ © ΄ ΅ ‘ ‚ “ „ • ‹ \uF8FF"),
        (MojibakeClass.End, "® » ˝ ” › ™"),
        (MojibakeClass.Numeric, "² ³ ¹ ± ¼-¾ × µ ÷ ⁄ ∂ ∆ ∏ ∑ √ ∞ ∩ ∫ ≈ ≠ ≡ ≤ ≥ №"),
        (MojibakeClass.Kaomoji, "Ò-Ö Ù-Ü ò-ö ø-ü Ő Ō Ū Ų °"),
        (MojibakeClass.Upper,
            "À-Ñ Ø Ü Ý Ă Ā Ą Ć Č Ď Đ Ę Ě Ē Ė Ğ Ģ İ Ī Ķ Ĺ Ľ Ł Ļ Ń Ň Ņ Œ Ř Ś Ş Š Ţ Ť Ů Ű Ÿ Ź Ż Ž Ґ"),
        (MojibakeClass.Lower,
            "ß à-ñ ă ą ā ć č ď đ ę ě ē ė ğ ģ į ī ķ ĺ ľ ł ļ œ ŕ ś ş š ť ü ź ż ž ґ ﬁ ﬂ"),
        (MojibakeClass.UpperScript, "Þ Α-Ω Ά Έ Ή Ί Ό Ύ Ώ Ϊ Ϋ Ё-Я"),
        (MojibakeClass.LowerScript, "α-ω ά έ ή ί ΰ а-џ"),
        (MojibakeClass.Box, "│ ┌ ┐ ┘ ├ ┤ ┬ ┼ ═-╬ ▀ ▄ █ ▌ ▐ ░ ▒ ▓"),
    ];

    private static readonly MojibakeClass[] s_classes = Build();
    private static readonly MojibakeClass[] s_unlikelyAfter = BuildUnlikely();

    public static MojibakeClass Of(char c) => s_classes[c];

    /// <summary>Classes that are unlikely right behind a character.</summary>
    public static MojibakeClass UnlikelyAfter(char c) => s_unlikelyAfter[c];

    private static MojibakeClass[] Build()
    {
        var classes = new MojibakeClass[char.MaxValue + 1];
        foreach (var (@class, ranges) in s_members)
        {
            foreach (var range in ranges.Split(' '))
                for (var c = range[0]; c <= range[^1]; c++)
                    classes[c] |= @class;
        }
        return classes;
    }

    private static MojibakeClass[] BuildUnlikely()
    {
        var after = new MojibakeClass[char.MaxValue + 1];
        for (var c = 0; c <= char.MaxValue; c++)
            foreach (var (first, second) in s_unlikely)
                if ((s_classes[c] & first) != 0)
                    after[c] |= second;
        return after;
    }
}

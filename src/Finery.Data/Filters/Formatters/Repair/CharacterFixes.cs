using System.Buffers;
using System.Text;
using Finery.Data.Tokenizers;

namespace Finery.Data.Filters.Formatters.Repair;

/// <summary>Replacements of single characters that were asked for (ligatures, width, quotation marks), and the Unicode
/// form.</summary>
internal sealed class CharacterFixes
{
    private static readonly (char Ligature, string Letters)[] s_ligatures =
    [
        ('Ĳ', "IJ"), ('ĳ', "ij"), ('ŉ', "ʼn"), ('Ǳ', "DZ"), ('ǲ', "Dz"), ('ǳ', "dz"), ('Ǆ', "DŽ"), ('ǅ', "Dž"), ('ǆ', "dž"),
        ('Ǉ', "LJ"), ('ǈ', "Lj"), ('ǉ', "lj"), ('Ǌ', "NJ"), ('ǋ', "Nj"), ('ǌ', "nj"), ('ﬀ', "ff"), ('ﬁ', "fi"), ('ﬂ', "fl"),
        ('ﬃ', "ffi"), ('ﬄ', "ffl"), ('ﬅ', "ſt"), ('ﬆ', "st"),
    ];

    private readonly Dictionary<char, string>[] _passes;
    private readonly SearchValues<char>[] _keys;
    private readonly UnicodeForm? _form;

    public CharacterFixes(TextRepair settings)
    {
        var passes = new List<Dictionary<char, string>>();
        if (settings.FixLatinLigatures)
            passes.Add(s_ligatures.ToDictionary(l => l.Ligature, l => l.Letters));
        if (settings.FixCharacterWidth)
            passes.Add(Widths());
        if (settings.UncurlQuotes)
            passes.Add("\u02BC\u2018\u2019\u201A\u201B".Select(c => (Curly: c, Straight: "'"))
                .Concat("\u201C\u201D\u201E\u201F".Select(c => (Curly: c, Straight: "\"")))
                .ToDictionary(q => q.Curly, q => q.Straight));
        _passes = [.. passes];
        _keys = [.. passes.Select(p => SearchValues.Create([.. p.Keys]))];
        _form = settings.Normalization == NormalizationKind.None ? null
            : Form(settings.Normalization.ToString().ToUpperInvariant());
    }

    public string Replace(string text)
    {
        for (var pass = 0; pass < _passes.Length; pass++)
        {
            if (!text.AsSpan().ContainsAny(_keys[pass]))
                continue;
            var output = new StringBuilder(text.Length);
            foreach (var c in text)
                _ = _passes[pass].TryGetValue(c, out var replacement) ? output.Append(replacement) : output.Append(c);
            text = output.ToString();
        }
        return text;
    }

    public string Normalize(string text) =>
        _form?.Apply(Encoding.UTF8.GetBytes(text)) is { } bytes ? Encoding.UTF8.GetString(bytes) : text;

    private static UnicodeForm Form(string name) => Array.Find(UnicodeForm.All, form => form.Name == name)!;

    // Compatible forms of the block of half-width and full-width forms, and the ideographic space.
    private static Dictionary<char, string> Widths()
    {
        var widths = new Dictionary<char, string> { ['\u3000'] = " " };
        var form = Form("NFKC");
        for (var c = '\uFF01'; c < '\uFFF0'; c++)
            if (form.Apply(Encoding.UTF8.GetBytes(c.ToString())) is { } bytes)
                widths[c] = Encoding.UTF8.GetString(bytes);
        return widths;
    }
}

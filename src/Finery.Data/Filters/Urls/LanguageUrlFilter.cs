namespace Finery.Data.Filters.Urls;

/// <summary>
/// Raises the precision of a language that other languages contaminate, as FineWeb-2 does where more than a tenth is wrong:
/// keeps a document if its address speaks for the language (a listed substring, the language's code, its country's domain) or
/// enough of its different words stand in a list of words that only this language has. Reason <c>language_precision</c>.
/// </summary>
public sealed record LanguageUrlFilter : DocumentFilter
{
    private OnDemand<HashSet<string>> _words;

    /// <summary>Codes of the language, such as <c>bar</c>: found in lower case between characters other than ASCII letters and
    /// digits, in upper case anywhere.</summary>
    public IReadOnlyList<string> LanguageCodes { get; init; } = [];

    /// <summary>Top-level domains of its countries, such as <c>pf</c>.</summary>
    public IReadOnlyList<string> CountryDomains { get; init; } = [];

    /// <summary>Lower-case substrings that speak for the language, compared with the address's ASCII letters, digits, dots and
    /// slashes in lower case.</summary>
    public IReadOnlyList<string> UrlSubstrings { get; init; } = [];

    /// <summary>File of words that only this language has, one a line; none to look at the address alone.</summary>
    public string? WordList { get; init; }

    /// <summary>Share of the text's different words that must be exceeded.</summary>
    public double MinWordShare { get; init; } = 1e-7;

    /// <inheritdoc/>
    public override void Apply(WorkingDocument document)
    {
        var speaks = document.GetMetadata("url") is { } url && IsOfLanguage(url);
        document.RejectIf("language_precision", !speaks && !(WordShare(document) > MinWordShare));
    }

    /// <summary>Settings that keep nothing.</summary>
    public IEnumerable<(string Property, string Message)> Validate()
    {
        if (WordList is null && LanguageCodes.Count + CountryDomains.Count + UrlSubstrings.Count == 0)
            yield return (nameof(WordList), "Without a word list, codes, domains or substrings every document would be dropped.");
        if (UrlSubstrings.Concat(LanguageCodes).Concat(CountryDomains).Any(string.IsNullOrWhiteSpace))
            yield return (nameof(UrlSubstrings), "A blank entry would keep every document.");
    }

    private bool IsOfLanguage(string url)
    {
        var host = WebAddress.HostOf(url);
        foreach (var domain in CountryDomains)
            if (host.AsSpan().EndsWith(domain.AsSpan().TrimStart('.'), StringComparison.OrdinalIgnoreCase)
                && host.Length > domain.TrimStart('.').Length && host[^(domain.TrimStart('.').Length + 1)] == '.')
                return true;
        foreach (var code in LanguageCodes)
            if (url.Contains(code.ToUpperInvariant(), StringComparison.Ordinal) || HasCode(url, code))
                return true;
        if (UrlSubstrings.Count == 0)
            return false;
        var reduced = string.Concat(
            url.Where(c => char.IsAsciiLetterOrDigit(c) || c is '/' or '.').Select(char.ToLowerInvariant));
        return UrlSubstrings.Any(s => reduced.Contains(s, StringComparison.Ordinal));
    }

    private static bool HasCode(string url, string code)
    {
        for (var at = url.IndexOf(code, StringComparison.Ordinal); at >= 0;
             at = url.IndexOf(code, at + 1, StringComparison.Ordinal))
        {
            var end = at + code.Length;
            if ((at == 0 || !char.IsAsciiLetterOrDigit(url[at - 1]))
                && (end == url.Length || !char.IsAsciiLetterOrDigit(url[end])))
                return true;
        }
        return false;
    }

    private double WordShare(WorkingDocument document)
    {
        if (WordList is null)
            return 0;
        var listed = _words.Get(this, static settings =>
            Filters.WordList.ReadFile(settings.WordList!).Select(e => e.Text).ToHashSet(StringComparer.Ordinal))
            .GetAlternateLookup<ReadOnlySpan<char>>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var different = seen.GetAlternateLookup<ReadOnlySpan<char>>();
        var found = 0;
        foreach (var range in document.View.Words)
        {
            var word = document.Text.AsSpan(range);
            if (!IsSymbols(word) && different.Add(word) && listed.Contains(word))
                found++;
        }
        return seen.Count == 0 ? 0 : (double)found / seen.Count;
    }

    private static bool IsSymbols(ReadOnlySpan<char> word)
    {
        foreach (var rune in word.EnumerateRunes())
            if (!CharacterSets.IsSymbol(rune.Value))
                return false;
        return true;
    }
}

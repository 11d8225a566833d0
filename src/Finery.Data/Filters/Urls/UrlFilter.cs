namespace Finery.Data.Filters.Urls;

/// <summary>
/// Drops documents by their address (metadata <c>url</c>) against lists of domains, addresses and words, in the order of
/// RefinedWeb and FineWeb: <c>domain</c>, <c>subdomain</c>, <c>url</c>, <c>hard_blacklisted</c>, <c>soft_blacklisted</c>,
/// <c>blacklisted_subword</c>. A document without an address is <c>no_url</c>.
/// </summary>
/// <remarks>Words are compared as they stand in the address, case kept, as published; substrings without regard to case. The
/// bundled word lists are Finery's own; lists of domains are not bundled: the University of Toulouse's (UT1) fit
/// <see cref="BlocklistFolder"/>.</remarks>
public sealed record UrlFilter : DocumentFilter
{
    private OnDemand<UrlLists> _lists;
    private readonly IReadOnlyList<string> _hardWords = [];
    private readonly IReadOnlyList<string> _softWords = [];
    private readonly IReadOnlyList<string> _substrings = [];
    private readonly IReadOnlyList<string> _extraDomains = [];
    private readonly IReadOnlyList<string> _extraUrls = [];

    /// <summary>Different soft words from which on an address is dropped; 0 disables.</summary>
    public int SoftWordThreshold { get; init; } = 2;

    /// <summary>A folder with a subfolder for each category, which holds <c>domains</c> and <c>urls</c>, plain or <c>.gz</c>, one
    /// entry a line.</summary>
    public string? BlocklistFolder { get; init; }

    /// <summary>Categories used of <see cref="BlocklistFolder"/>; empty for all. The default are the ten of RefinedWeb.</summary>
    public IReadOnlyList<string> BlocklistCategories { get; init; } =
        ["adult", "phishing", "dating", "gambling", "filehosting", "ddos", "agressif", "chat", "mixed_adult", "arjel"];

    /// <summary>Further files of domains or hosts.</summary>
    public IReadOnlyList<string> DomainLists { get; init; } = [];

    /// <summary>Further files of whole addresses.</summary>
    public IReadOnlyList<string> UrlLists { get; init; } = [];

    /// <summary>Further domains or hosts.</summary>
    /// <exception cref="ArgumentException">One is blank.</exception>
    public IReadOnlyList<string> ExtraDomains
    {
        get => _extraDomains;
        init => _extraDomains = NotBlank(value, e => e, "extra_domains");
    }

    /// <summary>Further whole addresses.</summary>
    /// <exception cref="ArgumentException">One is blank.</exception>
    public IReadOnlyList<string> ExtraUrls
    {
        get => _extraUrls;
        init => _extraUrls = NotBlank(value, e => e, "extra_urls");
    }

    /// <summary>Further words of which one is enough.</summary>
    /// <exception cref="ArgumentException">One has no letter or digit.</exception>
    public IReadOnlyList<string> HardWords
    {
        get => _hardWords;
        init => _hardWords = NotBlank(value, Normalize, "hard_words");
    }

    /// <summary>Further words of which <see cref="SoftWordThreshold"/> different ones are enough.</summary>
    /// <inheritdoc cref="HardWords"/>
    public IReadOnlyList<string> SoftWords
    {
        get => _softWords;
        init => _softWords = NotBlank(value, Normalize, "soft_words");
    }

    /// <summary>Further substrings.</summary>
    /// <inheritdoc cref="HardWords"/>
    public IReadOnlyList<string> Substrings
    {
        get => _substrings;
        init => _substrings = NotBlank(value, Normalize, "substrings");
    }

    /// <summary>Whether the word lists that come with Finery are used.</summary>
    public bool UseBundledLists { get; init; } = true;

    /// <summary>Whether a document without an address is kept.</summary>
    public bool AllowMissing { get; init; }

    /// <summary>A list in the format of publicsuffix.org to be used instead of the bundled table.</summary>
    public string? PublicSuffixFile { get; init; }

    /// <summary>Whether names below a hosting firm's (<c>someone.github.io</c>) count as domains of their own. Off, as
    /// published.</summary>
    public bool HostingSuffixes { get; init; }

    /// <inheritdoc/>
    public override void Apply(WorkingDocument document)
    {
        var url = document.GetMetadata("url");
        if (string.IsNullOrWhiteSpace(url))
        {
            if (!AllowMissing)
                document.Reject("no_url");
            return;
        }
        var lists = _lists.Get(this, static settings => new UrlLists(settings));
        var address = WebAddress.Parse(url, lists.Suffixes);
        if (document.RejectIf("domain", address.Domain.Length > 0 && lists.Domains.Contains(address.Domain))
            || document.RejectIf("subdomain", address.Host.Length > 0 && lists.Domains.Contains(address.Host))
            || document.RejectIf("url", lists.Urls.Contains(url)))
            return;
        var (hard, soft) = lists.CountWords(url);
        _ = document.RejectIf("hard_blacklisted", hard)
            || (SoftWordThreshold > 0 && document.RejectAbove("soft_blacklisted", soft, SoftWordThreshold - 1))
            || document.RejectIf("blacklisted_subword", lists.Substrings.OccursIn(url));
    }

    /// <summary>Lower case, without anything but ASCII letters and digits: what list entries are reduced to.</summary>
    internal static string Normalize(string entry) =>
        string.Concat(entry.Where(char.IsAsciiLetterOrDigit).Select(char.ToLowerInvariant));

    // A blank entry would match nearly every address.
    private static IReadOnlyList<string> NotBlank(IReadOnlyList<string> entries, Func<string, string> reduce, string name) =>
        entries.FirstOrDefault(e => string.IsNullOrWhiteSpace(reduce(e))) is { } blank
            ? throw new ArgumentException($"{name}: '{blank}' has nothing to compare.", name) : entries;
}

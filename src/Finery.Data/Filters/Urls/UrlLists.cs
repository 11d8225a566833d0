using System.Collections.Frozen;

namespace Finery.Data.Filters.Urls;

/// <summary>What a <see cref="UrlFilter"/> looks an address up in, loaded once.</summary>
internal sealed class UrlLists
{
    private readonly FrozenSet<string>.AlternateLookup<ReadOnlySpan<char>> _hard;
    private readonly FrozenDictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _soft;
    private readonly int _softCount;

    /// <exception cref="IOException">A list cannot be read.</exception>
    /// <exception cref="InvalidDataException">A folder holds none of the wanted lists.</exception>
    public UrlLists(UrlFilter settings)
    {
        List<string> domains = [.. settings.DomainLists], urls = [.. settings.UrlLists];
        if (settings.BlocklistFolder is { } folder)
            AddFolder(folder, settings.BlocklistCategories, domains, urls);
        Domains = new(domains.SelectMany(WordList.ReadFile).Select(e => e.Text.ToLowerInvariant())
            .Concat(settings.ExtraDomains.Select(d => d.Trim().ToLowerInvariant())));
        Urls = new(urls.SelectMany(WordList.ReadFile).Select(e => e.Text).Concat(settings.ExtraUrls.Select(u => u.Trim())));
        Suffixes = settings.PublicSuffixFile is { } file ? PublicSuffixes.Load(file, settings.HostingSuffixes)
            : settings.HostingSuffixes ? PublicSuffixes.WithHosting : PublicSuffixes.Bundled;
        _hard = Words("hard-url-words.txt", settings, settings.HardWords).ToFrozenSet(StringComparer.Ordinal)
            .GetAlternateLookup<ReadOnlySpan<char>>();
        var soft = Words("soft-url-words.txt", settings, settings.SoftWords).Distinct().Select((word, i) => (word, i)).ToList();
        _softCount = soft.Count;
        _soft = soft.ToFrozenDictionary(w => w.word, w => w.i, StringComparer.Ordinal)
            .GetAlternateLookup<ReadOnlySpan<char>>();
        Substrings = new(Words("url-substrings.txt", settings, settings.Substrings));
    }

    public HashedStrings Domains { get; }

    public HashedStrings Urls { get; }

    public PublicSuffixes Suffixes { get; }

    public AhoCorasick Substrings { get; }

    /// <summary>Whether a hard word stands in an address, and how many different soft ones do. Words are its runs of ASCII
    /// letters and digits, case kept.</summary>
    public (bool Hard, int Soft) CountWords(ReadOnlySpan<char> url)
    {
        var hard = false;
        var soft = 0;
        Span<ulong> seen = stackalloc ulong[_softCount < 1024 ? 16 : 0];
        if (seen.IsEmpty)
            seen = new ulong[_softCount / 64 + 1];
        seen.Clear();
        for (var i = 0; i < url.Length;)
        {
            if (!char.IsAsciiLetterOrDigit(url[i]))
            {
                i++;
                continue;
            }
            var start = i;
            while (i < url.Length && char.IsAsciiLetterOrDigit(url[i]))
                i++;
            var word = url[start..i];
            hard |= _hard.Contains(word);
            if (!_soft.TryGetValue(word, out var index) || (seen[index / 64] >> index & 1) != 0)
                continue;
            seen[index / 64] |= 1UL << index;
            soft++;
        }
        return (hard, soft);
    }

    private static IEnumerable<string> Words(string name, UrlFilter settings, IReadOnlyList<string> extra) =>
        (settings.UseBundledLists ? WordList.Bundled(name) : []).Concat(extra).Select(UrlFilter.Normalize);

    private static void AddFolder(string folder, IReadOnlyList<string> categories, List<string> domains, List<string> urls)
    {
        if (!Directory.Exists(folder))
            throw new DirectoryNotFoundException($"The folder of block lists '{folder}' does not exist.");
        var before = domains.Count + urls.Count;
        var wanted = categories.Count > 0 ? categories
            : [.. Directory.EnumerateDirectories(folder).Select(Path.GetFileName).OfType<string>().Order(StringComparer.Ordinal)];
        foreach (var category in wanted)
        {
            AddFile(Path.Combine(folder, category, "domains"), domains);
            AddFile(Path.Combine(folder, category, "urls"), urls);
        }
        if (domains.Count + urls.Count == before)
            throw new InvalidDataException(
                $"'{folder}' has none of the lists {string.Join(", ", wanted.Select(c => c + "/domains"))}, plain or .gz.");
    }

    private static void AddFile(string path, List<string> files)
    {
        if (File.Exists(path))
            files.Add(path);
        else if (File.Exists(path + ".gz"))
            files.Add(path + ".gz");
    }
}

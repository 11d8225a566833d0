namespace Finery.Data.Filters.Urls;

/// <summary>
/// Below which names anybody can register a domain (<c>com</c>, <c>co.uk</c>). Rules as on publicsuffix.org: the longest that
/// matches counts, <c>*.ck</c> stands for every label, <c>!www.ck</c> is an exception, and an unknown top-level domain is a
/// suffix.
/// </summary>
internal sealed class PublicSuffixes
{
    private readonly HashSet<string> _rules = new(StringComparer.Ordinal);
    private readonly HashSet<string> _wildcards = new(StringComparer.Ordinal);
    private readonly HashSet<string> _exceptions = new(StringComparer.Ordinal);
    private readonly HashSet<string> _anyCountry = new(StringComparer.Ordinal);
    private int _maxLabels = 3;

    private PublicSuffixes()
    {
    }

    /// <summary>The table that comes with Finery, without the suffixes of hosting firms: what the published filters
    /// used.</summary>
    public static PublicSuffixes Bundled { get; } = ReadCompact(hosting: false);

    /// <summary>The same with the suffixes of hosting firms (<c>github.io</c>, <c>blogspot.de</c>).</summary>
    public static PublicSuffixes WithHosting { get; } = ReadCompact(hosting: true);

    /// <summary>Reads a list in the format of publicsuffix.org.</summary>
    /// <param name="path">The file.</param>
    /// <param name="hosting">Whether its private section counts.</param>
    /// <exception cref="InvalidDataException">It has no rule.</exception>
    public static PublicSuffixes Load(string path, bool hosting)
    {
        var suffixes = new PublicSuffixes();
        var isPrivate = false;
        foreach (var line in File.ReadLines(path))
        {
            var rule = line.AsSpan().Trim();
            if (rule.StartsWith("//"))
                isPrivate = rule.IndexOf("===BEGIN PRIVATE") >= 0 || (isPrivate && rule.IndexOf("===END PRIVATE") < 0);
            else if (!rule.IsEmpty && (hosting || !isPrivate))
                suffixes.Add(rule.IndexOfAny(' ', '\t') is >= 0 and var end ? rule[..end].ToString() : rule.ToString());
        }
        return suffixes._rules.Count > 0 ? suffixes
            : throw new InvalidDataException($"'{path}' has no public suffix in the format of publicsuffix.org.");
    }

    /// <summary>The public suffix of a lower-case host name; the whole name if it is one.</summary>
    public string SuffixOf(string host)
    {
        var lookup = _rules.GetAlternateLookup<ReadOnlySpan<char>>();
        var exceptions = _exceptions.GetAlternateLookup<ReadOnlySpan<char>>();
        var wildcards = _wildcards.GetAlternateLookup<ReadOnlySpan<char>>();
        var anyCountry = _anyCountry.GetAlternateLookup<ReadOnlySpan<char>>();
        var name = host.AsSpan();
        // From the longest candidate to the shortest.
        for (var start = LastLabels(name, _maxLabels); start < name.Length;)
        {
            var candidate = name[start..];
            var dot = candidate.IndexOf('.');
            if (exceptions.Contains(candidate))
                return candidate[(dot + 1)..].ToString();
            if (lookup.Contains(candidate) || (dot >= 0 && wildcards.Contains(candidate[(dot + 1)..])))
                return candidate.ToString();
            if (dot < 0)
                return candidate.ToString();
            if (anyCountry.Contains(candidate[..dot]) && IsCountryOrCom(candidate[(dot + 1)..], lookup))
                return candidate.ToString();
            start += dot + 1;
        }
        return "";
    }

    private static int LastLabels(ReadOnlySpan<char> name, int count)
    {
        var start = name.Length;
        for (var label = 0; label < count && start > 0; label++)
            start = Math.Max(0, name[..start].LastIndexOf('.'));
        return start == 0 ? 0 : start + 1;
    }

    private static bool IsCountryOrCom(
        ReadOnlySpan<char> rest, HashSet<string>.AlternateLookup<ReadOnlySpan<char>> rules) =>
        rest.Length == 2 || rest is "com" || (rest.Length <= 6 && rules.Contains(rest));

    private void Add(string rule)
    {
        _maxLabels = Math.Max(_maxLabels, rule.Count(c => c == '.') + 1);
        if (rule.StartsWith('!'))
            _exceptions.Add(rule[1..].ToLowerInvariant());
        else if (rule.StartsWith("*.", StringComparison.Ordinal))
            _wildcards.Add(rule[2..].ToLowerInvariant());
        else
            _rules.Add(rule.TrimStart('.').ToLowerInvariant());
    }

    private static PublicSuffixes ReadCompact(bool hosting)
    {
        var suffixes = new PublicSuffixes();
        foreach (var line in WordList.Bundled("public-suffixes.txt"))
        {
            var parts = line.Split(' ');
            foreach (var label in parts.Skip(1))
            {
                if (parts[0] == "*")
                    suffixes._wildcards.Add(label);
                else if (parts[0] == "!")
                    suffixes._exceptions.Add(label);
                else if (parts[0] == "private" && hosting)
                    suffixes._rules.Add(label);
                else if (parts[0] == "private-label" && hosting)
                    suffixes._anyCountry.Add(label);
                else if (!parts[0].StartsWith("private", StringComparison.Ordinal))
                    suffixes._rules.Add($"{label}.{parts[0]}");
            }
        }
        return suffixes;
    }
}

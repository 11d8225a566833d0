using System.Text;
using System.Text.Json.Nodes;
using Finery.Data.Filters;

namespace Finery.Data.Deduplication.Exact;

/// <summary>
/// Keeps one document per URL, as Llama 3 did over its whole corpus: the newest by <c>date</c>, of equally new ones the
/// longest, else the first. Reason <c>duplicate_url</c>. Documents without <c>url</c> equal no other.
/// </summary>
public sealed record UrlDeduplicationStage : EqualKeyStage
{
    private const int LengthBits = 24;

    /// <summary>Metadata key of the URL.</summary>
    public string UrlKey { get; init; } = "url";

    /// <summary>Metadata key of the date.</summary>
    public string DateKey { get; init; } = "date";

    /// <summary>Whether addresses that differ by a slash at the end of the path are the same.</summary>
    public bool IgnoreTrailingSlash { get; init; } = true;

    /// <summary>Whether <c>http</c> and <c>https</c> are the same.</summary>
    public bool IgnoreScheme { get; init; }

    /// <summary>Whether <c>www.</c> in front of the host is ignored.</summary>
    public bool IgnoreWww { get; init; }

    /// <summary>Whether everything from the question mark is ignored.</summary>
    public bool IgnoreQuery { get; init; }

    private protected override string Reason => "duplicate_url";

    /// <summary>The form in which addresses are compared: scheme and host in lower case, without default port and
    /// fragment.</summary>
    public string Normalise(string url)
    {
        var rest = url.AsSpan().Trim();
        if (rest.IndexOf('#') is >= 0 and var fragment)
            rest = rest[..fragment];
        var scheme = "";
        if (rest.IndexOf("://") is > 0 and var mark && rest[..mark].IndexOfAny("/?") < 0)
        {
            scheme = rest[..mark].ToString().ToLowerInvariant();
            rest = rest[(mark + 3)..];
        }
        var end = rest.IndexOfAny('/', '?') is >= 0 and var found ? found : rest.Length;
        var host = rest[..end].ToString().ToLowerInvariant();
        var path = rest[end..];
        var defaultPort = scheme switch { "http" => ":80", "https" => ":443", _ => null };
        if (defaultPort is not null && host.EndsWith(defaultPort, StringComparison.Ordinal))
            host = host[..^defaultPort.Length];
        if (IgnoreWww && host.StartsWith("www.", StringComparison.Ordinal))
            host = host[4..];
        var query = path.IndexOf('?') is >= 0 and var question ? path[question..] : [];
        path = path[..(path.Length - query.Length)];
        if (IgnoreQuery)
            query = [];
        if (IgnoreTrailingSlash)
            path = path.EndsWith("/") ? path[..^1] : path;
        else if (path.IsEmpty)
            path = "/";
        return $"{(IgnoreScheme || scheme.Length == 0 ? "" : scheme + ":")}//{host}{path}{query}";
    }

    private protected override byte[]? KeyOf(Document document) => TextOf(document, UrlKey) is { Length: > 0 } url
        ? Encoding.UTF8.GetBytes(Normalise(url)) : null;

    // Seconds since the year 1 take 37 bits before the year 4000.
    private protected override ulong PreferenceOf(Document document)
    {
        var seconds = (Preference.DateOf(TextOf(document, DateKey))?.Ticks ?? 0) / TimeSpan.TicksPerSecond;
        var length = Math.Min(CharacterSets.Length(document.Text), (1 << LengthBits) - 1);
        return ((ulong)seconds << LengthBits) + (ulong)length;
    }

    private static string? TextOf(Document document, string key) =>
        document.Metadata[key] is JsonValue value && value.TryGetValue(out string? text) ? text : null;
}

using System.Net;

namespace Finery.Data.Filters.Urls;

/// <summary>The host of an address and its registered domain and public suffix. Host names are lower case.</summary>
/// <param name="Host">Full host name or IP address; empty if the address has none.</param>
/// <param name="Domain">The part that was registered, such as <c>example.co.uk</c>; empty for an IP address, a bare suffix
/// or a host without one.</param>
/// <param name="Suffix">The public suffix, such as <c>co.uk</c>; empty if there is none.</param>
internal readonly record struct WebAddress(string Host, string Domain, string Suffix)
{
    /// <summary>Takes an address apart, with or without a scheme.</summary>
    public static WebAddress Parse(string url, PublicSuffixes suffixes)
    {
        var host = HostOf(url);
        if (host.Length == 0 || host[0] == '[' || (char.IsAsciiDigit(host[^1]) && IPAddress.TryParse(host, out _)))
            return new(host, "", "");
        var suffix = suffixes.SuffixOf(host);
        if (suffix.Length == 0 || suffix.Length >= host.Length)
            return new(host, "", suffix);
        var before = host.LastIndexOf('.', host.Length - suffix.Length - 2);
        return new(host, host[(before + 1)..], suffix);
    }

    /// <summary>Without scheme, user name, port, path and the dot of the root; lower case.</summary>
    public static string HostOf(string url)
    {
        var rest = url.AsSpan().Trim();
        var scheme = rest.IndexOf("://");
        if (scheme >= 0 && rest[..scheme].IndexOfAny("/?#") < 0)
            rest = rest[(scheme + 3)..];
        else if (rest.StartsWith("//"))
            rest = rest[2..];
        var end = rest.IndexOfAny(@"/?#\");
        if (end >= 0)
            rest = rest[..end];
        rest = rest[(rest.LastIndexOf('@') + 1)..];
        if (rest is not ['[', ..] && rest.IndexOf(':') is >= 0 and var port)
            rest = rest[..port];
        else if (rest is ['[', ..] && rest.IndexOf(']') is >= 0 and var bracket)
            rest = rest[..(bracket + 1)];
        return rest.Trim('.').ToString().ToLowerInvariant();
    }
}

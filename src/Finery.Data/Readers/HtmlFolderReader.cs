using System.Net;
using System.Text.RegularExpressions;

namespace Finery.Data.Readers;

/// <summary>
/// Saved web pages (<c>.html</c>, <c>.htm</c>, <c>.xhtml</c>; gzip and Zstandard recognised by content): one file, one document,
/// whose text is the page decoded to Unicode with its markup. Its id is the path, its <c>url</c> the one the page names as
/// canonical, if any.
/// </summary>
public sealed partial record HtmlFolderReader : OneFileReader
{
    private const int SearchedCharacters = 1 << 17;

    private protected override Document? ToDocument(byte[] bytes, string path, ReadReport report)
    {
        if (Decode(bytes, path, isHtml: true, report) is not { } decoded)
            return null;
        var source = path.Replace('\\', '/');
        var document = new Document(source, decoded.Text)
        {
            Metadata = { ["media_type"] = MediaTypes.Html, ["charset"] = decoded.Charset, ["file_path"] = source },
        };
        if (CanonicalUrl(decoded.Text) is { } url)
            document.Metadata["url"] = url;
        return document;
    }

    private static string? CanonicalUrl(string html)
    {
        foreach (var link in LinkElement().EnumerateMatches(html.AsSpan(0, Math.Min(html.Length, SearchedCharacters))))
        {
            var element = html.Substring(link.Index, link.Length);
            if (CanonicalRelation().IsMatch(element) && Address().Match(element) is { Success: true } match)
                return WebUtility.HtmlDecode(match.Groups[1].Value).Trim();
        }
        return null;
    }

    [GeneratedRegex("<link\\s[^>]{0,2000}>", RegexOptions.IgnoreCase)]
    private static partial Regex LinkElement();

    [GeneratedRegex("\\brel\\s*=\\s*[\"']?canonical\\b", RegexOptions.IgnoreCase)]
    private static partial Regex CanonicalRelation();

    [GeneratedRegex("\\bhref\\s*=\\s*[\"']?(https?://[^\"'>\\s]+)", RegexOptions.IgnoreCase)]
    private static partial Regex Address();
}

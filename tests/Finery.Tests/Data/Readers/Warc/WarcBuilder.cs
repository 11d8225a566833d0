using System.IO.Compression;
using System.Text;

namespace Finery.Tests.Data.Readers.Warc;

/// <summary>Makes WARC records.</summary>
internal static class WarcBuilder
{
    public static byte[] Gzip(params byte[][] pieces)
    {
        using var target = new MemoryStream();
        using (var gzip = new GZipStream(target, CompressionLevel.Optimal))
            foreach (var piece in pieces)
                gzip.Write(piece);
        return target.ToArray();
    }

    public static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    public static byte[] Join(params byte[][] pieces) => [.. pieces.SelectMany(p => p)];

    public static byte[] Record(
        string type, string id, byte[] block, string contentType, string extra = "", long? length = null,
        string version = "WARC/1.0") =>
        Join(Bytes($"{version}\r\nWARC-Type: {type}\r\nWARC-Record-ID: <urn:uuid:{id}>\r\nWARC-Date: 2024-05-17T08:22:00Z\r\n"
            + $"WARC-Target-URI: http://example.org/{id}\r\nContent-Type: {contentType}\r\n{extra}"
            + $"Content-Length: {length ?? block.Length}\r\n\r\n"), block, Bytes("\r\n\r\n"));

    public static byte[] Response(string id, byte[] body, string headers = "Content-Type: text/html\r\n", string extra = "",
        string status = "200 OK", long? length = null) =>
        Record("response", id, Join(Bytes($"HTTP/1.1 {status}\r\n{headers}\r\n"), body), "application/http; msgtype=response",
            extra, length);

    public static byte[] Response(string id, string body) => Response(id, Bytes(body));

    public static byte[] Info() => Record("warcinfo", "info", Bytes("software: test\r\n"), "application/warc-fields");

    public static string Page(string text) => $"<html><body><p>{text}</p></body></html>";
}

using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Finery.Tests.Data.Readers.Remote;

/// <summary>An HTTP/1.1 server on the loopback that answers GET and HEAD as a function of the request, one connection
/// each.</summary>
internal sealed class TinyServer : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly Func<Request, Answer> _answer;
    private int _requests;

    public TinyServer(Func<Request, Answer> answer)
    {
        _answer = answer;
        _listener.Start();
        _ = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public int Requests => _requests;

    public string Address(string path) => $"http://127.0.0.1:{Port}{path}";

    public void Dispose() => _listener.Stop();

    /// <summary>What serves a file as servers do that know ranges.</summary>
    public static Answer Serve(Request request, byte[] content, string tag = "\"one\"")
    {
        if (request.Range is not { } range)
            return new(200, content, $"ETag: {tag}\r\n");
        var end = (int)Math.Min(range.End + 1, content.Length);
        if (range.Start >= content.Length)
            return new(416, [], $"Content-Range: bytes */{content.Length}\r\n");
        return new(206, content[(int)range.Start..end],
            $"ETag: {tag}\r\nContent-Range: bytes {range.Start}-{end - 1}/{content.Length}\r\n");
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
                _ = AnswerAsync(await _listener.AcceptTcpClientAsync());
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or InvalidOperationException)
        {
            // The listener was stopped.
        }
    }

    private async Task AnswerAsync(TcpClient client)
    {
        using (client)
        {
            try
            {
                var stream = client.GetStream();
                using var reader = new StreamReader(stream, Encoding.ASCII);
                var line = (await reader.ReadLineAsync())?.Split(' ');
                var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
                while (await reader.ReadLineAsync() is { Length: > 0 } header)
                    headers[header[..header.IndexOf(':')]] = header[(header.IndexOf(':') + 1)..].Trim();
                if (line is null)
                    return;
                Interlocked.Increment(ref _requests);
                var answer = _answer(new Request(line[0], line[1], headers));
                var length = answer.Length ?? answer.Body.Length;
                await stream.WriteAsync(Encoding.ASCII.GetBytes(
                    $"HTTP/1.1 {answer.Status} x\r\nConnection: close\r\n{answer.Headers}"
                    + (length < 0 ? "" : $"Content-Length: {length}\r\n") + "\r\n"));
                if (line[0] != "HEAD")
                    await stream.WriteAsync(answer.Body);
            }
            catch (IOException)
            {
                // The client had enough.
            }
        }
    }

    public sealed record Request(string Method, string Path, IReadOnlyDictionary<string, string> Headers)
    {
        public (long Start, long End)? Range
        {
            get
            {
                if (!Headers.TryGetValue("Range", out var range) || !range.StartsWith("bytes=", StringComparison.Ordinal))
                    return null;
                var ends = range["bytes=".Length..].Split('-');
                return (long.Parse(ends[0], CultureInfo.InvariantCulture), long.Parse(ends[1], CultureInfo.InvariantCulture));
            }
        }
    }

    /// <summary>An answer, whose Content-Length may be a lie: null for the truth, negative for none.</summary>
    public sealed record Answer(int Status, byte[] Body, string Headers = "", long? Length = null);
}

using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;

namespace Finery.Data.Readers.Remote;

/// <summary>
/// A file on the web. Names are resolved once, at the moment of connecting, and only public addresses at ports 80 and 443 are
/// connected to, so that neither a redirect nor a name server that changes its mind leads elsewhere; proxies of the environment
/// are not used.
/// </summary>
internal sealed class WebFile : RangeStream
{
    private readonly Uri _address;
    private readonly HttpClient _client;
    private readonly RemoteOptions _options;
    private readonly EntityTagHeaderValue? _tag;
    private readonly bool _hasRanges;

    private WebFile(Uri address, HttpClient client, long length, EntityTagHeaderValue? tag, bool hasRanges, RemoteOptions options)
        : base(address.ToString(), length, options)
    {
        (_address, _client, _options, _tag, _hasRanges) = (address, client, options, tag, hasRanges);
    }

    /// <summary>Opens an address; its length is asked for.</summary>
    /// <exception cref="IOException">It is refused or cannot be read.</exception>
    public static WebFile Open(string path, RemoteOptions options)
    {
        if (!Uri.TryCreate(path, UriKind.Absolute, out var address))
            throw new IOException($"'{path}' is no address.");
        var client = CreateClient(options);
        try
        {
            for (var attempt = 0; ; attempt++)
            {
                try
                {
                    return Open(address, client, options);
                }
                catch (Exception e) when (RemoteException.Is(e))
                {
                    var cause = e.InnerException as RemoteException ?? e; // what connecting throws comes wrapped
                    if (attempt >= options.Retries || cause is RemoteException { IsLasting: true })
                        throw new IOException($"'{path}' cannot be read: {cause.Message}", e);
                    Thread.Sleep(TimeSpan.FromSeconds(0.2 * (1 << attempt)));
                }
            }
        }
        catch
        {
            client.Dispose();
            throw;
        }
    }

    private static WebFile Open(Uri address, HttpClient client, RemoteOptions options)
    {
        using var response = Get(address, client, 0, 1, null, options);
        var isRange = response.StatusCode == HttpStatusCode.PartialContent;
        var length = isRange ? response.Content.Headers.ContentRange?.Length
            : response.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable ? 0
            : response.Content.Headers.ContentLength;
        if (length is not { } bytes)
            throw new RemoteException("the server does not say how long it is", isLasting: true);
        if (bytes > options.MaxFileBytes)
            throw new RemoteException($"it has {bytes} bytes, more than the {options.MaxFileBytes} allowed", isLasting: true);
        var tag = response.Headers.ETag is { IsWeak: false } strong ? strong : null;
        return new WebFile(address, client, bytes, tag, isRange, options);
    }

    protected override Stream OpenRange(long start, long end)
    {
        var response = Get(_address, _client, _hasRanges ? start : 0, end, _tag, _options);
        if (_hasRanges
            && (response.StatusCode != HttpStatusCode.PartialContent || response.Content.Headers.ContentRange?.From != start))
        {
            response.Dispose();
            throw new RemoteException("the server does not give the range asked for", isLasting: true);
        }
        var stream = response.Content.ReadAsStream();
        if (!_hasRanges)
        {
            var passed = new byte[1 << 16];
            while (start > 0 && stream.Read(passed, 0, (int)Math.Min(passed.Length, start)) is > 0 and var read)
                start -= read;
        }
        return new TimedStream(stream, response, _options.Timeout);
    }

    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        if (disposing)
            _client.Dispose();
    }

    private static HttpResponseMessage Get(
        Uri address, HttpClient client, long start, long end, EntityTagHeaderValue? tag, RemoteOptions options)
    {
        for (var hop = 0; ; hop++)
        {
            Vet(address, options);
            using var request = new HttpRequestMessage(HttpMethod.Get, address);
            request.Headers.Range = new RangeHeaderValue(start, end - 1);
            if (tag is not null)
                request.Headers.IfMatch.Add(tag);
            var response = client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead).GetAwaiter().GetResult();
            var status = (int)response.StatusCode;
            if (status is 200 or 206 or 416)
                return response;
            using (response)
            {
                if (status is not (301 or 302 or 303 or 307 or 308) || response.Headers.Location is not { } location)
                    throw new RemoteException(status == 412 ? "it changed while it was read" : $"the server answers {status}",
                        RemoteException.IsLastingStatus(status));
                if (hop >= options.MaxRedirects)
                    throw new RemoteException($"it redirects more than {options.MaxRedirects} times", isLasting: true);
                address = new Uri(address, location);
            }
        }
    }

    private static void Vet(Uri address, RemoteOptions options)
    {
        if (address.Scheme != Uri.UriSchemeHttps && !(address.Scheme == Uri.UriSchemeHttp && options.AllowHttp))
            throw new RemoteException($"the scheme of '{address}' is not allowed (https, and http by setting)", isLasting: true);
        if (address.UserInfo.Length > 0)
            throw new RemoteException("an address must not hold a name or password", isLasting: true);
    }

    private static HttpClient CreateClient(RemoteOptions options)
    {
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseProxy = false,
            UseCookies = false,
            AutomaticDecompression = DecompressionMethods.None,
            ConnectTimeout = options.Timeout,
            MaxResponseHeadersLength = 64,
            ConnectCallback = (context, stop) => ConnectAsync(context.DnsEndPoint, options, stop),
        };
        var client = new HttpClient(handler) { Timeout = options.Timeout };
        client.DefaultRequestHeaders.UserAgent.Add(new ProductInfoHeaderValue("Finery", "0.1"));
        return client;
    }

    private static async ValueTask<Stream> ConnectAsync(DnsEndPoint target, RemoteOptions options, CancellationToken stop)
    {
        var addresses = await Dns.GetHostAddressesAsync(target.Host, stop).ConfigureAwait(false);
        var allowed = addresses.Where(a => options.Exempt?.Invoke(a, target.Port) == true
            || (target.Port is 80 or 443 && PublicAddresses.Contains(a))).ToArray();
        if (allowed.Length == 0)
            throw new RemoteException(
                $"'{target.Host}' port {target.Port} is not a public address at port 80 or 443", isLasting: true);
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(allowed, target.Port, stop).ConfigureAwait(false);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}

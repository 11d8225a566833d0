using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace Finery.Cli.Serving;

/// <summary>
/// Who may ask: an API key where keys are set; on loopback a Host header that names this machine, so that a web page cannot reach
/// the server through a rebound name; and never a page of another origin.
/// </summary>
/// <param name="options">Keys and binding.</param>
public sealed class RequestGuard(ServerOptions options)
{
    private const string Scheme = "Bearer ";

    // Hashes have one length whatever the key, so that the comparison takes the same time for every guess.
    private readonly byte[][] _keyHashes = [.. options.ApiKeys.Select(key => SHA256.HashData(Encoding.UTF8.GetBytes(key)))];
    private readonly bool _loopback = options.IsLoopback;

    /// <summary>Refuses what may not ask.</summary>
    /// <exception cref="ApiException">401, 403 or 421.</exception>
    public void Check(HttpRequest request)
    {
        if (_loopback && !NamesThisMachine(request.Host.Host))
        {
            throw new ApiException(
                421, $"The Host header '{request.Host.Value}' does not name this machine. Use localhost or 127.0.0.1.",
                    code: "wrong_host");
        }
        if (request.Headers.Origin is [{ } origin] && !SameOrigin(origin, request))
            throw new ApiException(403, "Requests from web pages of another origin are refused.", "permission_error",
                code: "cross_origin");
        if (_keyHashes.Length > 0 && request.Path != "/health" && !HasKey(request))
        {
            throw new ApiException(
                401, "The API key is missing or wrong. Send it as 'Authorization: Bearer KEY'.", "authentication_error",
                    code: "invalid_api_key");
        }
    }

    private static bool NamesThisMachine(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
        || (IPAddress.TryParse(host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address));

    private static bool SameOrigin(string origin, HttpRequest request) =>
        Uri.TryCreate(origin, UriKind.Absolute, out var uri)
            && uri.Authority.Equals(request.Host.Value, StringComparison.OrdinalIgnoreCase);

    private bool HasKey(HttpRequest request)
    {
        if (request.Headers.Authorization is not [{ } header]
            || !header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase)) return false;
        byte[] hash = SHA256.HashData(Encoding.UTF8.GetBytes(header[Scheme.Length..].Trim()));
        bool found = false;
        foreach (byte[] key in _keyHashes) found |= CryptographicOperations.FixedTimeEquals(hash, key);
        return found;
    }
}

using System.Net;
using System.Text;

namespace Finery.Cli.Serving;

/// <summary>How a model is served.</summary>
public sealed record ServerOptions
{
    /// <summary>Address to listen on, or <c>localhost</c>.</summary>
    public string Host { get; init; } = "127.0.0.1";

    /// <summary>Port; 0 for a free one.</summary>
    public int Port { get; init; } = 8080;

    /// <summary>Accepted keys; empty for none needed.</summary>
    public IReadOnlyList<string> ApiKeys { get; init; } = [];

    /// <summary>Most requests that may wait.</summary>
    public int QueueLimit { get; init; } = 64;

    /// <summary>Largest request body.</summary>
    public long BodyLimitBytes { get; init; } = 4 << 20;

    /// <summary>How long a stop waits for requests that are being answered.</summary>
    public TimeSpan DrainTime { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Whether only this machine can reach the server.</summary>
    public bool IsLoopback => Host == "localhost" || IPAddress.IsLoopback(Address());

    /// <summary>The address to bind.</summary>
    /// <exception cref="UsageException">The host is neither an address nor localhost.</exception>
    public IPAddress Address()
    {
        if (Host == "localhost") return IPAddress.Loopback;
        return IPAddress.TryParse(Host.Trim('[', ']'), out var address)
            ? address
            : throw new UsageException(
                $"--host '{Host}' is not an IP address or 'localhost'. Use 127.0.0.1 for this machine only, 0.0.0.0 for all " +
                    $"interfaces.");
    }

    /// <summary>Checks what must hold before anything listens.</summary>
    /// <exception cref="UsageException">It does not.</exception>
    public void ThrowIfUnsafe()
    {
        if (!IsLoopback && ApiKeys.Count == 0)
        {
            throw new UsageException($"--host {Host} would let other machines use the model without a key. " +
                "Give a file with one with --api-key-file, or keep the default host 127.0.0.1.");
        }
    }

    /// <summary>Reads keys from a file, one per line; empty lines and lines that begin with # are left out.</summary>
    /// <exception cref="UsageException">There is none in it.</exception>
    public static IReadOnlyList<string> ReadKeys(string path)
    {
        var keys = File.ReadAllLines(path, Encoding.UTF8).Select(line => line.Trim())
            .Where(line => line.Length > 0 && line[0] != '#').ToList();
        return keys.Count > 0 ? keys : throw new UsageException($"{path} holds no API key: write one per line.");
    }
}

using System.Net;

namespace Finery.Data.Readers.Remote;

/// <summary>How remote input is read.</summary>
public sealed record RemoteOptions
{
    /// <summary>Whether <c>http://</c> addresses are allowed beside <c>https://</c>, also as targets of redirects.</summary>
    public bool AllowHttp { get; init; }

    /// <summary>Redirects followed at most, each as strictly vetted as the first address.</summary>
    public int MaxRedirects { get; init; } = 5;

    /// <summary>Files that say they are larger are refused.</summary>
    public long MaxFileBytes { get; init; } = 1L << 40;

    /// <summary>Time within which a connection must be made, and within which a request must give its bytes (16 MB at
    /// most).</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Most bytes a second for one file; 0 for no limit.</summary>
    public long MaxBytesPerSecond { get; init; }

    /// <summary>How often a request that failed for no lasting reason is made again, after 0.2 s and then twice as long each
    /// time.</summary>
    public int Retries { get; init; } = 4;

    /// <summary>Address of an S3 service other than Amazon's, which may be a private one; null for Amazon's.</summary>
    public string? S3Endpoint { get; init; } = Environment.GetEnvironmentVariable("AWS_ENDPOINT_URL");

    /// <summary>Region of the buckets; null for what the environment or the credentials' profile says, else us-east-1.</summary>
    public string? S3Region { get; init; }

    /// <summary>Whether requests to S3 are not signed, as public buckets may want it.</summary>
    public bool S3Anonymous { get; init; }

    /// <summary>Addresses and ports allowed although they are not public, for tests.</summary>
    internal Func<IPAddress, int, bool>? Exempt { get; init; }
}

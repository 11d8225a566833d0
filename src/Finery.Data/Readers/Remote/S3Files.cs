using System.Collections.Concurrent;
using Amazon;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;

namespace Finery.Data.Readers.Remote;

/// <summary>Objects in S3 or a service that speaks its protocol, as files. Credentials are those of the AWS tools: environment,
/// profile, or the machine's role.</summary>
internal sealed class S3Files : RangeStream
{
    private static readonly ConcurrentDictionary<RemoteOptions, AmazonS3Client> s_clients = new();
    private readonly AmazonS3Client _client;
    private readonly string _bucket;
    private readonly string _key;
    private readonly string? _tag;
    private readonly TimeSpan _timeout;

    private S3Files(AmazonS3Client client, string bucket, string key, long length, string? tag, RemoteOptions options)
        : base($"s3://{bucket}/{key}", length, options)
    {
        (_client, _bucket, _key, _tag, _timeout) = (client, bucket, key, tag, options.Timeout);
    }

    /// <summary>Opens an object; its length is asked for.</summary>
    /// <exception cref="IOException">It does not exist or cannot be read.</exception>
    public static S3Files Open(string path, RemoteOptions options)
    {
        var (bucket, key) = Split(path);
        if (key.Length == 0)
            throw new IOException($"'{path}' names a bucket; an object is s3://bucket/key.");
        var client = ClientFor(options);
        var about = Try(path, () => client.GetObjectMetadataAsync(bucket, key));
        if (about.ContentLength > options.MaxFileBytes)
            throw new IOException($"'{path}' has {about.ContentLength} bytes, more than the {options.MaxFileBytes} allowed.");
        return new S3Files(client, bucket, key, about.ContentLength, about.ETag, options);
    }

    /// <summary>The objects that match a pattern, in ordinal order.</summary>
    /// <exception cref="FileNotFoundException">None does.</exception>
    /// <exception cref="IOException">The bucket cannot be listed.</exception>
    public static IReadOnlyList<string> Expand(string path, RemoteOptions options)
    {
        var (bucket, pattern) = Split(path);
        var client = ClientFor(options);
        var request = new ListObjectsV2Request { BucketName = bucket, Prefix = pattern[..pattern.AsSpan().IndexOfAny('*', '?')] };
        var segments = pattern.Split('/');
        var found = new List<string>();
        do
        {
            var page = Try(path, () => client.ListObjectsV2Async(request));
            found.AddRange((page.S3Objects ?? []).Select(o => o.Key)
                .Where(key => !key.EndsWith('/') && FileGlob.MatchesPath(key.Split('/'), segments)));
            request.ContinuationToken = page.IsTruncated == true ? page.NextContinuationToken : null;
        }
        while (request.ContinuationToken is not null);
        if (found.Count == 0)
            throw new FileNotFoundException($"No object matches '{path}'.", path);
        found.Sort(StringComparer.Ordinal);
        return [.. found.Select(key => $"s3://{bucket}/{key}")];
    }

    protected override Stream OpenRange(long start, long end)
    {
        var request = new GetObjectRequest
        {
            BucketName = _bucket,
            Key = _key,
            ByteRange = new ByteRange(start, end - 1),
            EtagToMatch = _tag,
        };
        try
        {
            var response = _client.GetObjectAsync(request).GetAwaiter().GetResult();
            return new TimedStream(response.ResponseStream, response, _timeout);
        }
        catch (AmazonServiceException e)
        {
            throw new RemoteException(e.Message, RemoteException.IsLastingStatus((int)e.StatusCode));
        }
    }

    private static T Try<T>(string path, Func<Task<T>> request)
    {
        try
        {
            return request().GetAwaiter().GetResult();
        }
        catch (AmazonServiceException e) when ((int)e.StatusCode == 404)
        {
            throw new FileNotFoundException($"'{path}' does not exist.", path, e);
        }
        catch (Exception e) when (RemoteException.Is(e))
        {
            throw new IOException($"'{path}' cannot be read: {e.Message}", e);
        }
    }

    private static (string Bucket, string Key) Split(string path)
    {
        var rest = path["s3://".Length..];
        var slash = rest.IndexOf('/');
        var bucket = slash < 0 ? rest : rest[..slash];
        // It becomes part of a host name.
        if (bucket.Length is < 3 or > 63 || bucket.Any(c => !char.IsAsciiLetterOrDigit(c) && c is not ('-' or '.' or '_')))
            throw new IOException($"'{path}' has no valid bucket name; an object is s3://bucket/key.");
        return (bucket, slash < 0 ? "" : rest[(slash + 1)..]);
    }

    private static AmazonS3Client ClientFor(RemoteOptions options) => s_clients.GetOrAdd(options, static options =>
    {
        var config = new AmazonS3Config
        {
            MaxErrorRetry = options.Retries,
            Timeout = options.Timeout,
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
        };
        if (options.S3Endpoint is { Length: > 0 } endpoint)
        {
            config.ServiceURL = endpoint;
            config.ForcePathStyle = true;
            config.AuthenticationRegion = options.S3Region ?? "us-east-1";
        }
        else
            config.RegionEndpoint = options.S3Region is { } region ? RegionEndpoint.GetBySystemName(region)
                : FallbackRegionFactory.GetRegionEndpoint() ?? RegionEndpoint.USEast1;
        return options.S3Anonymous ? new AmazonS3Client(new AnonymousAWSCredentials(), config) : new AmazonS3Client(config);
    });
}

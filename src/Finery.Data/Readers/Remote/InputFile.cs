namespace Finery.Data.Readers.Remote;

/// <summary>
/// Opens what an input path names: a file of this machine, <c>s3://bucket/key</c>, or an <c>https://</c> address. Addresses on
/// the web must be public ones, so that a list of inputs made by others leads nowhere it should not (SSRF).
/// </summary>
public static class InputFile
{
    /// <summary>How remote input is read. To be set once, before anything is.</summary>
    public static RemoteOptions Options { get; set; } = new();

    /// <summary>Whether a path is an address rather than a file of this machine.</summary>
    public static bool IsRemote(string path) => IsS3(path) || IsWeb(path);

    /// <summary>Opens a file for reading: seekable, its length known.</summary>
    /// <exception cref="IOException">It does not exist, cannot be read, or is where nothing may be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The system does not allow it.</exception>
    public static Stream Open(string path) =>
        IsS3(path) ? S3Files.Open(path, Options)
        : IsWeb(path) ? WebFile.Open(path, Options)
        : new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 1 << 16);

    /// <summary>The addresses a remote path stands for: objects of a bucket for one with <c>*</c>, <c>?</c> or <c>**</c>, in
    /// ordinal order, else itself.</summary>
    /// <exception cref="FileNotFoundException">No object matches.</exception>
    /// <exception cref="IOException">The bucket cannot be listed.</exception>
    internal static IReadOnlyList<string> Expand(string path) =>
        IsS3(path) && path.AsSpan().IndexOfAny('*', '?') >= 0 ? S3Files.Expand(path, Options) : [path];

    private static bool IsS3(string path) => path.StartsWith("s3://", StringComparison.OrdinalIgnoreCase);

    private static bool IsWeb(string path) =>
        path.StartsWith("https://", StringComparison.OrdinalIgnoreCase)
        || path.StartsWith("http://", StringComparison.OrdinalIgnoreCase);
}

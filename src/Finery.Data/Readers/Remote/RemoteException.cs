namespace Finery.Data.Readers.Remote;

/// <summary>A request for remote input failed.</summary>
/// <param name="message">What was wrong.</param>
/// <param name="isLasting">Whether it will be the same next time.</param>
internal sealed class RemoteException(string message, bool isLasting) : IOException(message)
{
    public bool IsLasting => isLasting;

    /// <summary>Whether an exception is how a request fails: refused, broken off, timed out.</summary>
    public static bool Is(Exception e) =>
        e is IOException or HttpRequestException or OperationCanceledException or Amazon.Runtime.AmazonServiceException
            or Amazon.Runtime.AmazonClientException;

    /// <summary>Whether a status says that asking again is of no use.</summary>
    public static bool IsLastingStatus(int status) => status is >= 400 and < 500 and not 408 and not 429;
}

using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace Finery.Data.Batches;

/// <summary>What batch sources share: how they are named and what they refuse.</summary>
internal static class SourceFingerprint
{
    public static string Of(params object[] parts)
    {
        string joined = string.Join('\n', parts.Select(part => Convert.ToString(part, CultureInfo.InvariantCulture)));
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(joined)));
    }

    /// <summary>Digest of lists of ids, lengths included.</summary>
    public static string OfIds(IEnumerable<int[]> lists)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (int[] ids in lists)
        {
            hash.AppendData(BitConverter.GetBytes(ids.Length));
            hash.AppendData(MemoryMarshal.AsBytes(ids.AsSpan()));
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    public static void CheckFill(IBatchSource source, long step, PackedBatch batch)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        if (batch.Rows != source.Rows || batch.Length != source.Length)
            throw new ArgumentException(
                $"The batch is {batch.Rows} x {batch.Length} tokens, but this source fills {source.Rows} x {source.Length}.");
    }
}

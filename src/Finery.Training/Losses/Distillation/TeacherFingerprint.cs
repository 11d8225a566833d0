using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Finery.Data.Batches;
using Finery.Models.Llama;

namespace Finery.Training.Losses.Distillation;

/// <summary>Names for what was said by whom about what: hashes that are equal only if all of it is.</summary>
internal static class TeacherFingerprint
{
    /// <summary>Digest of a model: configuration, and every weight as it is in memory.</summary>
    public static string Of(LlamaModel model)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes(model.Config.ToJson()));
        foreach (var (name, tensor) in model.NamedWeights)
        {
            hash.AppendData(Encoding.UTF8.GetBytes($"\0{name} {tensor.Type}\0"));
            hash.AppendData(tensor.Bytes);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>Digest of a batch before a teacher: token ids, document bounds, targets.</summary>
    /// <param name="hash">Used and left empty.</param>
    /// <param name="teacher">The teacher's digest.</param>
    /// <param name="batch">The whole step.</param>
    /// <param name="key">32 bytes, overwritten.</param>
    public static void OfBatch(IncrementalHash hash, ReadOnlySpan<byte> teacher, PackedBatch batch, Span<byte> key)
    {
        hash.AppendData(teacher);
        hash.AppendData(MemoryMarshal.AsBytes(batch.Ids.AsSpan()));
        hash.AppendData(MemoryMarshal.AsBytes(batch.Starts.AsSpan()));
        hash.AppendData(MemoryMarshal.AsBytes(batch.Targets.AsSpan()));
        hash.GetHashAndReset(key);
    }
}

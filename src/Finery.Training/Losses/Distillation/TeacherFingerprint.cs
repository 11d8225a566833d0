using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Finery.Data.Batches;
using Finery.Models.Llama;

namespace Finery.Training.Losses.Distillation;

/// <summary>Name of a teacher.</summary>
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
}

/// <summary>Names for batches before a teacher: hashes of teacher, token ids, document bounds and targets.</summary>
/// <param name="teacher">Its digest.</param>
internal sealed class BatchKey(string teacher) : IDisposable
{
    /// <summary>Bytes of a key.</summary>
    public const int Bytes = 32;

    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly byte[] _teacher = Convert.FromHexString(teacher);
    private readonly byte[] _key = new byte[Bytes];

    /// <summary>Key of a batch; valid until the next call.</summary>
    public ReadOnlySpan<byte> Of(PackedBatch batch)
    {
        _hash.AppendData(_teacher);
        _hash.AppendData(MemoryMarshal.AsBytes(batch.Ids.AsSpan()));
        _hash.AppendData(MemoryMarshal.AsBytes(batch.Starts.AsSpan()));
        _hash.AppendData(MemoryMarshal.AsBytes(batch.Targets.AsSpan()));
        _hash.GetHashAndReset(_key);
        return _key;
    }

    public void Dispose() => _hash.Dispose();
}

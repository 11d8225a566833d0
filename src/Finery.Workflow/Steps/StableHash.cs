using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Finery.Workflow.Steps;

/// <summary>A hash of text that is the same on every machine and in every run: for seeded choices that must not depend on order.</summary>
internal static class StableHash
{
    /// <summary>First 8 bytes of the SHA-256 of the seed (little-endian) and the UTF-8 text.</summary>
    public static ulong Of(string text, ulong seed = 0)
    {
        byte[] bytes = new byte[8 + Encoding.UTF8.GetByteCount(text)];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, seed);
        Encoding.UTF8.GetBytes(text, bytes.AsSpan(8));
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(bytes, hash);
        return BinaryPrimitives.ReadUInt64LittleEndian(hash);
    }
}

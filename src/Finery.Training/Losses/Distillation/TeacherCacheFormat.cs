using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using Finery.Models.Weights;

namespace Finery.Training.Losses.Distillation;

/// <summary>What a file of a teacher cache begins with.</summary>
/// <param name="FirstStep">Of the batches in it.</param>
/// <param name="Steps">How many follow one another.</param>
/// <param name="Tokens">N: tokens of a batch.</param>
/// <param name="MaxEntries">K: most tokens kept for a row.</param>
/// <param name="TopP">Probability that is kept.</param>
/// <param name="Type">How log-probabilities are stored: F16 or BF16.</param>
/// <param name="Teacher">Digest of the teacher.</param>
internal sealed record TeacherCacheHeader(
    long FirstStep, int Steps, int Tokens, int MaxEntries, double TopP, SafeTensorType Type, string Teacher)
{
    /// <summary>Bytes in a file.</summary>
    public const int Bytes = 80;

    /// <summary>Bytes of a file's digest.</summary>
    public const int DigestBytes = 32;

    /// <summary>Bytes of such a file where nothing was kept.</summary>
    public long LeastBytes =>
        Bytes + Steps * (BatchKey.Bytes + sizeof(int) + (long)Tokens * sizeof(ushort) + sizeof(long)) + DigestBytes;

    private static ReadOnlySpan<byte> Magic => "FNTOPK01"u8;

    /// <summary>Name of the file that begins with a step.</summary>
    public static string FileName(long firstStep) => "teacher-" + firstStep.ToString("D12", CultureInfo.InvariantCulture) + ".topk";

    public void Write(Span<byte> to)
    {
        Magic.CopyTo(to);
        BinaryPrimitives.WriteInt64LittleEndian(to[8..], FirstStep);
        BinaryPrimitives.WriteInt32LittleEndian(to[16..], Steps);
        BinaryPrimitives.WriteInt32LittleEndian(to[20..], Tokens);
        BinaryPrimitives.WriteInt32LittleEndian(to[24..], MaxEntries);
        BinaryPrimitives.WriteInt32LittleEndian(to[28..], (int)Type);
        BinaryPrimitives.WriteDoubleLittleEndian(to[32..], TopP);
        Convert.FromHexString(Teacher).CopyTo(to[40..]);
        to[72..Bytes].Clear();
    }

    /// <exception cref="InvalidDataException">These are not the first bytes of such a file.</exception>
    public static TeacherCacheHeader Read(ReadOnlySpan<byte> from, string path)
    {
        if (from.Length < Bytes || !from.StartsWith(Magic)) throw new InvalidDataException($"{path} is not a file of a teacher cache.");
        var header = new TeacherCacheHeader(
            BinaryPrimitives.ReadInt64LittleEndian(from[8..]), BinaryPrimitives.ReadInt32LittleEndian(from[16..]),
            BinaryPrimitives.ReadInt32LittleEndian(from[20..]), BinaryPrimitives.ReadInt32LittleEndian(from[24..]),
            BinaryPrimitives.ReadDoubleLittleEndian(from[32..]), (SafeTensorType)BinaryPrimitives.ReadInt32LittleEndian(from[28..]),
            Convert.ToHexStringLower(from[40..72]));
        bool possible = header is { FirstStep: >= 0, Steps: > 0, Tokens: > 0, MaxEntries: > 0, Type: SafeTensorType.F16 or SafeTensorType.BF16 }
            && header.FirstStep <= long.MaxValue - header.Steps && (long)header.Tokens * header.MaxEntries <= int.MaxValue;
        return possible ? header : throw new InvalidDataException($"{path}: impossible sizes ({header}).");
    }

    /// <summary>Header of a file whose digest is right.</summary>
    /// <exception cref="InvalidDataException">It is damaged, or no such file.</exception>
    public static TeacherCacheHeader ReadWhole(string path)
    {
        using var stream = File.OpenRead(path);
        var first = new byte[Bytes];
        int read = stream.ReadAtLeast(first, Bytes, throwOnEndOfStream: false);
        var header = Read(first.AsSpan(0, read), path);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(first);
        var buffer = new byte[1 << 20];
        long left = stream.Length - Bytes - DigestBytes;
        while (left > 0)
        {
            int count = stream.Read(buffer, 0, (int)Math.Min(left, buffer.Length));
            if (count == 0) break;
            hash.AppendData(buffer, 0, count);
            left -= count;
        }
        var stored = new byte[DigestBytes];
        bool whole = left == 0 && stream.ReadAtLeast(stored, DigestBytes, throwOnEndOfStream: false) == DigestBytes;
        if (!whole || !hash.GetHashAndReset().AsSpan().SequenceEqual(stored))
            throw new InvalidDataException($"{path} is damaged: its SHA-256 does not match its content. Delete it and write the cache again.");
        return header;
    }
}

using System.Runtime.InteropServices;
using Finery.Data.Writers;

namespace Finery.Data.Deduplication.Sorting;

/// <summary>Writes a <see cref="RecordFile"/>, which appears whole at <see cref="Commit"/> or not at all.</summary>
internal sealed class RecordWriter : IDisposable
{
    private readonly string _path;
    private readonly AtomicFile _file;
    private readonly byte[] _block = new byte[RecordFile.BlockBytes];
    private int _filled;
    private ulong _hash;

    public RecordWriter(string path)
    {
        _path = path;
        _file = new AtomicFile(path);
    }

    /// <summary>Bytes written so far.</summary>
    public long Length { get; private set; }

    public void Write(ReadOnlySpan<byte> bytes)
    {
        Length += bytes.Length;
        while (bytes.Length > _block.Length - _filled)
        {
            var part = bytes[..(_block.Length - _filled)];
            part.CopyTo(_block.AsSpan(_filled));
            _filled = _block.Length;
            Flush();
            bytes = bytes[part.Length..];
        }
        bytes.CopyTo(_block.AsSpan(_filled));
        _filled += bytes.Length;
    }

    public void Write<T>(in T record)
        where T : unmanaged => Write(MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in record)));

    /// <summary>Completes the file.</summary>
    /// <param name="verify">Reads it again and compares the checksum.</param>
    public void Commit(bool verify = false)
    {
        Flush();
        _file.Commit();
        RecordFile.WriteSum(_path, Length, _hash);
        if (verify)
            RecordFile.Verify(_path);
    }

    public void Dispose() => _file.Dispose();

    private void Flush()
    {
        if (_filled == 0)
            return;
        var block = _block.AsSpan(0, _filled);
        _hash = XxHash64.Hash(block, _hash);
        _file.Stream.Write(block);
        _filled = 0;
    }
}

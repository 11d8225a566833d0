using Microsoft.Win32.SafeHandles;

namespace Finery.Data.Deduplication.Sorting;

/// <summary>Sorted records to be merged: a piece of a file, or of memory.</summary>
internal sealed class RecordSource
{
    private readonly string? _path;
    private readonly SafeFileHandle? _shared;
    private readonly int _recordBytes;
    private SafeFileHandle? _own;
    private byte[] _buffer = [];
    private int _at;
    private int _filled;
    private long _next;
    private readonly long _end;

    private RecordSource(int recordBytes, long from, long to) =>
        (_recordBytes, _next, _end) = (recordBytes, from * recordBytes, to * recordBytes);

    /// <summary>Records [from, to) of a file.</summary>
    public RecordSource(string path, int recordBytes, long from, long to)
        : this(recordBytes, from, to) => _path = path;

    /// <summary>A whole file.</summary>
    public RecordSource(string path, int recordBytes)
        : this(path, recordBytes, 0, RecordFile.Count(path, recordBytes))
    {
    }

    /// <summary>Records [from, to) of an open file, which stays the caller's.</summary>
    public RecordSource(SafeFileHandle handle, int recordBytes, long from, long to)
        : this(recordBytes, from, to) => _shared = handle;

    /// <summary>The first records of a buffer.</summary>
    public RecordSource(byte[] buffer, int filled, int recordBytes)
        : this(recordBytes, 0, 0) => (_buffer, _filled, _at) = (buffer, filled, -recordBytes);

    /// <summary>Whether nothing is in memory yet, so that a buffer is needed.</summary>
    public bool NeedsBuffer => _buffer.Length == 0 && _next < _end;

    public ReadOnlySpan<byte> Current => _buffer.AsSpan(_at, _recordBytes);

    /// <summary>Gives it memory to read into.</summary>
    public void Prepare(int bufferBytes)
    {
        _buffer = new byte[Math.Min(_end - _next, Math.Max(1, bufferBytes / _recordBytes) * (long)_recordBytes)];
        _at = -_recordBytes;
        _filled = 0;
    }

    /// <param name="keepOpen">Whether the file may stay open until it is read to its end.</param>
    public bool MoveNext(bool keepOpen)
    {
        _at += _recordBytes;
        return _at < _filled || Refill(keepOpen);
    }

    public void Close()
    {
        _own?.Dispose();
        _own = null;
        _buffer = [];
        _filled = 0;
    }

    private bool Refill(bool keepOpen)
    {
        if (_next >= _end)
        {
            Close();
            return false;
        }
        var handle = _shared ?? (_own ??= File.OpenHandle(_path!, FileMode.Open, FileAccess.Read, FileShare.Read));
        _filled = (int)Math.Min(_buffer.Length, _end - _next);
        RecordFile.ReadExactly(handle, _buffer.AsSpan(0, _filled), _next, _path ?? "temporary file");
        _next += _filled;
        _at = 0;
        if (!keepOpen && _own is not null)
        {
            _own.Dispose();
            _own = null;
        }
        return true;
    }
}

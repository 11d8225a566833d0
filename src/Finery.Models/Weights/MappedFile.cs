using System.IO.MemoryMappedFiles;
using Microsoft.Win32.SafeHandles;

namespace Finery.Models.Weights;

/// <summary>Bytes of a mapped file, not copied: readable until the file is disposed. They may begin at any address, so elements are
/// read unaligned; a pointer, because a span ends at 2 GiB.</summary>
/// <param name="pointer">First byte.</param>
/// <param name="length">Number of bytes.</param>
public readonly unsafe struct MappedBytes(byte* pointer, long length)
{
    /// <summary>First byte.</summary>
    public byte* Pointer => pointer;

    /// <summary>Number of bytes.</summary>
    public long Length => length;

    /// <summary>All of them.</summary>
    /// <exception cref="NotSupportedException">More than a span can hold; take slices.</exception>
    public ReadOnlySpan<byte> Span => length <= int.MaxValue ? new(pointer, (int)length)
        : throw new NotSupportedException($"{length} bytes are more than one span can hold ({int.MaxValue}): take slices.");

    /// <summary>Some of them.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The range leaves the bytes.</exception>
    public ReadOnlySpan<byte> Slice(long start, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(start, length - count);
        return new(pointer + start, count);
    }
}

/// <summary>
/// A file open for reading, in two ways: <see cref="Read"/> copies, as fast as copying from a map would (measured) and safe whatever
/// becomes of the file; <see cref="Map"/> shows the file's own pages. Both may be used from several threads.
/// </summary>
/// <remarks>A file that another process shortens fails a copy cleanly, but kills the process that touches a mapped page past the new
/// end: the operating system reports that as a memory fault, which .NET cannot catch. <see cref="Map"/> compares the length with that
/// at opening, which leaves only the time after; Finery itself replaces files whole (<see cref="AtomicFile"/>), and a replaced file
/// stays readable for who has it open.</remarks>
public sealed unsafe class MappedFile : IDisposable
{
    private readonly SafeFileHandle _file;
    private readonly Lock _lock = new();
    private MemoryMappedFile? _map;
    private MemoryMappedViewAccessor? _view;
    private byte* _start;
    private bool _disposed;

    private MappedFile(string path, SafeFileHandle file)
    {
        (Path, _file) = (path, file);
        Length = RandomAccess.GetLength(file);
    }

    /// <summary>Where it is, as given.</summary>
    public string Path { get; }

    /// <summary>Bytes at opening.</summary>
    public long Length { get; }

    /// <summary>Opens a file.</summary>
    public static MappedFile Open(string path)
    {
        var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        try
        {
            return new MappedFile(path, file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Copies bytes from a position on.</summary>
    /// <exception cref="InvalidDataException">The file ends before.</exception>
    public void Read(long position, Span<byte> destination)
    {
        while (destination.Length > 0)
        {
            int read = RandomAccess.Read(_file, destination, position);
            if (read == 0)
                throw new InvalidDataException($"{Path}: the file ended at byte {position}; expected {destination.Length} more.");
            position += read;
            destination = destination[read..];
        }
    }

    /// <summary>A part of the file, in place.</summary>
    /// <exception cref="InvalidDataException">The part is not within the file, or the file has become shorter since it was
    /// opened.</exception>
    public MappedBytes Map(long position, long length)
    {
        if (position < 0 || length < 0 || position > Length - length)
            throw new InvalidDataException($"{Path}: bytes {position} to {position + length} are not within its {Length}.");
        if (length == 0) return default;
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (RandomAccess.GetLength(_file) is var now && now < Length)
                throw new InvalidDataException($"{Path}: {now} bytes; it had {Length} when it was opened.");
            if (_view is null)
            {
                _map = MemoryMappedFile.CreateFromFile(
                    _file, mapName: null, capacity: 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
                _view = _map.CreateViewAccessor(0, Length, MemoryMappedFileAccess.Read);
                byte* start = null;
                _view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
                _start = start + _view.PointerOffset;
            }
            return new(_start + position, length);
        }
    }

    /// <summary>Unmaps and closes: bytes handed out by <see cref="Map"/> are no longer readable.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            if (_disposed) return;
            _disposed = true;
            if (_start != null) _view!.SafeMemoryMappedViewHandle.ReleasePointer();
            _start = null;
            _view?.Dispose();
            _map?.Dispose();
            _file.Dispose();
        }
    }
}

using System.Text;

namespace Finery.Data.Writers;

/// <summary>
/// A file that appears whole or not at all: written to a temporary sibling, flushed to the disk, then renamed over the target.
/// Disposed without <see cref="Commit"/> (an exception, a full disk) it leaves the old file as it was and no temporary one.
/// </summary>
public sealed class AtomicFile : IDisposable
{
    private readonly string _path;
    private readonly string _temporaryPath;
    private readonly FileStream _stream;
    private bool _isFinished;

    /// <summary>Starts writing; the folder is created if need be.</summary>
    /// <exception cref="IOException">The temporary file cannot be created.</exception>
    public AtomicFile(string path)
    {
        _path = Path.GetFullPath(path);
        var folder = Path.GetDirectoryName(_path) ?? throw new IOException($"'{path}' names no file.");
        Directory.CreateDirectory(folder);
        _temporaryPath = Path.Combine(folder, $".{Path.GetFileName(_path)}.{Path.GetRandomFileName()}.tmp");
        _stream = new FileStream(_temporaryPath, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, 1 << 16);
    }

    /// <summary>Where to write; seekable. Owned by this object.</summary>
    public Stream Stream => _stream;

    /// <summary>Flushes to the disk and gives the file its name.</summary>
    public void Commit()
    {
        ObjectDisposedException.ThrowIf(_isFinished, this);
        _stream.Flush(flushToDisk: true);
        _stream.Dispose();
        File.Move(_temporaryPath, _path, overwrite: true);
        _isFinished = true;
    }

    /// <summary>Removes the temporary file unless committed.</summary>
    public void Dispose()
    {
        if (_isFinished)
            return;
        _isFinished = true;
        try
        {
            _stream.Dispose();
        }
        catch (IOException)
        {
            // Disposing flushes; on a full disk that fails again, and what matters now is that the temporary file goes.
        }
        finally
        {
            File.Delete(_temporaryPath);
        }
    }

    /// <summary>Writes a whole file; what <paramref name="write"/> throws is passed on and the old file stays.</summary>
    public static void Write(string path, Action<Stream> write)
    {
        using var file = new AtomicFile(path);
        write(file.Stream);
        file.Commit();
    }

    /// <summary>Writes text as UTF-8 without a byte order mark.</summary>
    public static void WriteText(string path, string text) => Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(text)));
}

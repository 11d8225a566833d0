namespace Finery.Data.Writers;

/// <summary>
/// A file that is written under <c>name.partial</c> and gets its name when it is complete. What a checkpoint covers is on the
/// disk and stays there; it can be gone on from.
/// </summary>
internal sealed class PartialFile : IDisposable
{
    private const string Extension = ".partial";

    private readonly string _path;
    private readonly FileStream _stream;
    private bool _isCovered, _isClosed;

    /// <summary>Starts a file, or goes on with one at the length that a checkpoint recorded.</summary>
    /// <exception cref="InvalidDataException">The file is gone, or shorter than recorded.</exception>
    public PartialFile(string path, long? resumeAt = null)
    {
        _path = Path.GetFullPath(path);
        Directory.CreateDirectory(Path.GetDirectoryName(_path) ?? throw new IOException($"'{path}' names no file."));
        if (resumeAt is null)
        {
            _stream = new FileStream(_path + Extension, FileMode.Create, FileAccess.ReadWrite, FileShare.None, 1 << 16);
            return;
        }
        // The process may have ended between the renaming of two files.
        if (!File.Exists(_path + Extension) && File.Exists(_path))
            File.Move(_path, _path + Extension);
        if (!File.Exists(_path + Extension) || new FileInfo(_path + Extension).Length < resumeAt)
            throw new InvalidDataException(
                $"'{_path + Extension}' does not hold the {resumeAt} bytes that its checkpoint recorded: start the output anew.");
        _isCovered = true;
        _stream = new FileStream(_path + Extension, FileMode.Open, FileAccess.ReadWrite, FileShare.None, 1 << 16);
        _stream.SetLength(resumeAt.Value);
        _stream.Position = resumeAt.Value;
    }

    /// <summary>Where to write.</summary>
    public Stream Stream => _stream;

    /// <summary>Bytes written.</summary>
    public long Length => _stream.Position;

    /// <summary>Brings everything to the disk: from now on the file stays.</summary>
    public void Cover()
    {
        _stream.Flush(flushToDisk: true);
        _isCovered = true;
    }

    /// <summary>Closes the file, complete, under its partial name.</summary>
    public void Close()
    {
        Cover();
        _isClosed = true;
        _stream.Dispose();
    }

    /// <summary>Gives a closed file its name. Nothing happens if it has it already.</summary>
    public static void Publish(string path)
    {
        if (File.Exists(path + Extension) || !File.Exists(path))
            File.Move(path + Extension, path, overwrite: true);
    }

    /// <summary>Removes a file that has not got its name.</summary>
    public static void Remove(string path) => File.Delete(path + Extension);

    /// <summary>Removes the file unless it was covered.</summary>
    public void Dispose()
    {
        if (_isClosed)
            return;
        _isClosed = true;
        try
        {
            _stream.Dispose();
        }
        catch (IOException) when (!_isCovered)
        {
            // Disposing flushes; on a full disk that fails again, and what matters now is that the file goes.
        }
        finally
        {
            if (!_isCovered)
                File.Delete(_path + Extension);
        }
    }
}

namespace Finery.Data.Curation;

/// <summary>
/// The right to work at a task, held while its lock file is open. The system frees it when the process ends, however it ends, so
/// no lock outlives its owner.
/// </summary>
internal sealed class TaskClaim : IDisposable
{
    // What the library reports for a file that another process holds: EWOULDBLOCK, or a sharing violation.
    private const int LinuxBusy = 11, MacBusy = 35, WindowsBusy = unchecked((int)0x80070020);

    private readonly FileStream _file;

    private TaskClaim(FileStream file) => _file = file;

    /// <summary>Null if another process works at it.</summary>
    public static TaskClaim? TryTake(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        try
        {
            return new(new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1));
        }
        catch (IOException e) when (e.HResult is LinuxBusy or MacBusy or WindowsBusy)
        {
            return null;
        }
    }

    public void Dispose() => _file.Dispose();
}

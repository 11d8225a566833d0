using Microsoft.Win32.SafeHandles;

namespace Finery.Data.Deduplication.Sorting;

/// <summary>Sorted runs one after another in one temporary file, which is made when first written and vanishes when
/// closed.</summary>
internal sealed class SpillFile(string folder) : IDisposable
{
    private readonly List<(long From, long To)> _runs = [];
    private SafeFileHandle? _handle;
    private long _length;
    private long _runStart;

    /// <summary>Byte ranges of the finished runs.</summary>
    public IReadOnlyList<(long From, long To)> Runs => _runs;

    public void Write(ReadOnlySpan<byte> records)
    {
        _handle ??= Open();
        RandomAccess.Write(_handle, records, _length);
        _length += records.Length;
    }

    public void EndRun()
    {
        _runs.Add((_runStart, _length));
        _runStart = _length;
    }

    public IReadOnlyList<RecordSource> Sources(int recordBytes) =>
        [.. _runs.Select(r => new RecordSource(_handle!, recordBytes, r.From / recordBytes, r.To / recordBytes))];

    public void Dispose() => _handle?.Dispose();

    private SafeFileHandle Open()
    {
        Directory.CreateDirectory(folder);
        var path = Path.Combine(folder, $".spill-{Path.GetRandomFileName()}.tmp");
        var handle = File.OpenHandle(
            path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Delete, FileOptions.DeleteOnClose);
        // Where a file without a name can stay open, it vanishes even if the process is killed.
        if (!OperatingSystem.IsWindows())
            File.Delete(path);
        return handle;
    }
}

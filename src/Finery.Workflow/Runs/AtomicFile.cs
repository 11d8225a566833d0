using System.Text.Json;

namespace Finery.Workflow.Runs;

/// <summary>Replaces a small file so that a reader, or a kill at any moment, finds the old or the new content and never a
/// part.</summary>
internal static class AtomicFile
{
    /// <summary>What the name of an unfinished file ends with.</summary>
    public const string Unfinished = ".tmp";

    public static void Write(string path, ReadOnlySpan<byte> content)
    {
        string temporary = path + Unfinished;
        using (var file = new FileStream(temporary, FileMode.Create, FileAccess.Write, FileShare.None))
        {
            file.Write(content);
            file.Flush(flushToDisk: true);
        }
        File.Move(temporary, path, overwrite: true);
    }

    public static void WriteJson<T>(string path, T value) =>
        Write(path, JsonSerializer.SerializeToUtf8Bytes(value, RunJson.Indented));

    /// <summary>Reads while another process may be replacing the file.</summary>
    public static byte[] Read(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        byte[] content = new byte[file.Length];
        file.ReadExactly(content);
        return content;
    }
}

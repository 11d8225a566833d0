using System.Text.Json;

namespace Finery.Workflow.Runs;

/// <summary>A file of one JSON value per line that grows at its end. After a kill its last line may be torn: readers do not see
/// it and the next writer cuts it off.</summary>
internal sealed class JsonLines : IDisposable
{
    private readonly string _path;
    private FileStream _file;

    /// <summary>Opens for appending.</summary>
    public JsonLines(string path)
    {
        _path = path;
        _file = OpenAndCut(path);
    }

    /// <summary>Appends and hands the line to the operating system, so that a kill does not lose it.</summary>
    public void Append<T>(T value)
    {
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(value, RunJson.Line);
        Span<byte> line = [.. json, (byte)'\n'];
        _file.Write(line);
        _file.Flush();
    }

    /// <summary>Keeps only some of the lines.</summary>
    public void Keep<T>(Predicate<T> keep)
    {
        _file.Dispose();
        using (var kept = new MemoryStream())
        {
            foreach (var value in Read<T>(_path, 0).Values.Where(value => keep(value)))
            {
                JsonSerializer.Serialize(kept, value, RunJson.Line);
                kept.WriteByte((byte)'\n');
            }
            AtomicFile.Write(_path, kept.GetBuffer().AsSpan(0, (int)kept.Length));
        }
        _file = OpenAndCut(_path);
    }

    public void Dispose() => _file.Dispose();

    /// <summary>The complete lines from an offset on; all lines if no line ends at the offset any more.</summary>
    public static (IReadOnlyList<T> Values, long Next) Read<T>(string path, long offset)
    {
        byte[] content;
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            if (offset > 0)
            {
                file.Position = offset - 1;
                if (offset > file.Length || file.ReadByte() != '\n') offset = file.Position = 0;
            }
            content = new byte[file.Length - offset];
            int read = file.ReadAtLeast(content, content.Length, throwOnEndOfStream: false);
            Array.Resize(ref content, read);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return ([], 0);
        }
        var values = new List<T>();
        int from = 0;
        for (int length; (length = content.AsSpan(from).IndexOf((byte)'\n')) >= 0; from += length + 1)
        {
            try
            {
                if (JsonSerializer.Deserialize<T>(content.AsSpan(from, length), RunJson.Line) is { } value) values.Add(value);
            }
            catch (JsonException)
            {
                // A machine that lost power can leave zeros in the middle of a file.
            }
        }
        return (values, offset + from);
    }

    private static FileStream OpenAndCut(string path)
    {
        var file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read | FileShare.Delete);
        long end = file.Length;
        while (end > 0)
        {
            file.Position = end - 1;
            if (file.ReadByte() == '\n') break;
            end--;
        }
        file.SetLength(end);
        file.Position = end;
        return file;
    }
}

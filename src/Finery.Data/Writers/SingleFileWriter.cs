using System.Text.Json.Nodes;

namespace Finery.Data.Writers;

/// <summary>Writes documents to one file.</summary>
public abstract class SingleFileWriter : DocumentWriter
{
    private readonly string _path;
    private readonly PartialFile _file;
    private bool _isFinished;

    private protected SingleFileWriter(string path, JsonObject? checkpoint)
    {
        _path = path;
        Count = (long?)checkpoint?["count"] ?? 0;
        _file = new PartialFile(path, (long?)checkpoint?["length"]);
    }

    /// <summary>Bytes in the file so far, without what is held back until a block is full.</summary>
    internal virtual long Length => _file.Length;

    /// <summary>Where the bytes go.</summary>
    private protected Stream Output => _file.Stream;

    /// <summary>Ends a block of the format: the file may be cut here and written on.</summary>
    private protected abstract void EndBlock();

    /// <summary>Writes what the format has at its end.</summary>
    private protected abstract void EndFile();

    /// <summary>What the format needs to go on, besides length and count.</summary>
    private protected virtual void AddState(JsonObject state)
    {
    }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Files => [Path.GetFullPath(_path)];

    /// <inheritdoc/>
    public override string Checkpoint() => State().ToJsonString();

    /// <inheritdoc cref="Checkpoint"/>
    internal JsonObject State()
    {
        ObjectDisposedException.ThrowIf(_isFinished, this);
        EndBlock();
        _file.Cover();
        var state = new JsonObject { ["count"] = Count, ["length"] = _file.Length };
        AddState(state);
        return state;
    }

    /// <summary>Completes the file, which keeps its partial name.</summary>
    internal void Complete()
    {
        ObjectDisposedException.ThrowIf(_isFinished, this);
        EndBlock();
        EndFile();
        _file.Close();
        _isFinished = true;
    }

    /// <inheritdoc/>
    public override void Commit()
    {
        Complete();
        PartialFile.Publish(_path);
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        _isFinished = true;
        _file.Dispose();
        GC.SuppressFinalize(this);
    }
}

using System.Globalization;
using System.Text.Json.Nodes;

namespace Finery.Data.Writers;

/// <summary>Writes documents to the files their values name, with few of them open at a time.</summary>
internal sealed class TemplatedWriter : DocumentWriter
{
    private const int MaxOpen = 32;

    private readonly OutputSettings _settings;
    private readonly string _folder;
    private readonly FileTemplate _template;
    private readonly Dictionary<string, Target> _targets = new(
        OperatingSystem.IsLinux() ? StringComparer.Ordinal : StringComparer.OrdinalIgnoreCase);

    // The file written to last is at the end.
    private readonly LinkedList<Target> _open = [];
    private bool _isFinished, _isCheckpointed;

    public TemplatedWriter(OutputSettings settings, string folder, string name, string? checkpoint)
    {
        foreach (var (property, message) in settings.Validate())
            throw new ArgumentException($"{property} {message}.", nameof(settings));
        (_settings, _folder) = (settings, Path.GetFullPath(folder));
        _template = new FileTemplate(settings.Template, FileTemplate.MadeSafe(name));
        if (checkpoint is not null)
            Restore(checkpoint);
        else if (_template.IsFixed)
            Open(TargetOf(_template.Expand(new Document("", ""), null)));
    }

    public override void Write(Document document, string? filterReason = null)
    {
        ObjectDisposedException.ThrowIf(_isFinished, this);
        var target = TargetOf(_template.Expand(document, filterReason));
        var writer = Open(target);
        if (_settings.MaxFileBytes > 0 && writer.Length >= _settings.MaxFileBytes)
        {
            writer.Complete();
            Close(target);
            target.Number++;
            writer = Open(target);
        }
        writer.Write(document, filterReason);
        Count++;
    }

    private Target TargetOf(string stem)
    {
        if (!_targets.TryGetValue(stem, out var target))
            _targets[stem] = target = new Target(stem);
        return target;
    }

    private SingleFileWriter Open(Target target)
    {
        if (target.Writer is not null)
        {
            if (_open.Last != target.Node)
            {
                _open.Remove(target.Node!);
                _open.AddLast(target.Node!);
            }
            return target.Writer;
        }
        if (_open.Count == MaxOpen)
            Suspend(_open.First!.Value);
        var path = PathOf(target, target.Number);
        target.Writer = _settings.Format == OutputFormat.Parquet
            ? new ParquetWriter(path, _settings.ParquetCodec, target.State) : new JsonLinesWriter(path, target.State);
        target.State = null;
        target.Node = _open.AddLast(target);
        return target.Writer;
    }

    private string PathOf(Target target, int number)
    {
        var prefix = _settings.MaxFileBytes > 0 ? number.ToString("000", CultureInfo.InvariantCulture) + "_" : "";
        var path = Path.Combine(_folder, target.Stem.Replace('/', Path.DirectorySeparatorChar));
        return Path.Combine(Path.GetDirectoryName(path)!, prefix + Path.GetFileName(path) + _settings.Extension);
    }

    private void Suspend(Target target)
    {
        target.State = target.Writer!.State();
        Close(target);
    }

    private void Close(Target target)
    {
        target.Writer!.Dispose();
        _open.Remove(target.Node!);
        (target.Writer, target.Node) = (null, null);
    }

    public override string Checkpoint()
    {
        ObjectDisposedException.ThrowIf(_isFinished, this);
        // All files are closed, as they are when writing is taken up again: which are open decides where blocks end.
        while (_open.First is { } first)
            Suspend(first.Value);
        _isCheckpointed = true;
        var files = new JsonArray();
        foreach (var target in _targets.Values)
            files.Add(new JsonObject
            {
                ["name"] = target.Stem,
                ["number"] = target.Number,
                ["state"] = target.State?.DeepClone(),
            });
        return new JsonObject { ["count"] = Count, ["files"] = files }.ToJsonString();
    }

    private void Restore(string checkpoint)
    {
        _isCheckpointed = true;
        var state = JsonNode.Parse(checkpoint)!;
        Count = (long)state["count"]!;
        foreach (var file in (JsonArray)state["files"]!)
        {
            var target = TargetOf((string)file!["name"]!);
            target.Number = (int)file["number"]!;
            target.State = file["state"]?.DeepClone() as JsonObject;
        }
    }

    public override void Commit()
    {
        ObjectDisposedException.ThrowIf(_isFinished, this);
        foreach (var target in _targets.Values)
            if (target.Writer is not null || target.State is not null)
            {
                Open(target).Complete();
                Close(target);
            }
        _isFinished = true;
        foreach (var path in Files)
            PartialFile.Publish(path);
    }

    public override IReadOnlyList<string> Files =>
        [.. _targets.Values.SelectMany(target => Enumerable.Range(0, target.Number + 1).Select(number => PathOf(target, number)))];

    public override void Dispose()
    {
        while (_open.First is { } first)
            Close(first.Value);
        if (!_isFinished && !_isCheckpointed)
            foreach (var path in Files)
                PartialFile.Remove(path);
        _isFinished = true;
    }

    private sealed class Target(string stem)
    {
        public string Stem { get; } = stem;

        /// <summary>Which file of the sequence is written to.</summary>
        public int Number { get; set; }

        public SingleFileWriter? Writer { get; set; }

        /// <summary>Where the file that is not open must be gone on with.</summary>
        public JsonObject? State { get; set; }

        public LinkedListNode<Target>? Node { get; set; }
    }
}

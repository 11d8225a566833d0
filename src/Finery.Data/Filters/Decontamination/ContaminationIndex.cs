using System.Buffers.Binary;
using System.Text.Json;
using Finery.Data.Writers;

namespace Finery.Data.Filters.Decontamination;

/// <summary>
/// Runs of words of evaluation data, by hash, each with the first task it was found in. The files are datatrove's:
/// <c>{task}.index.hashes</c>, unsigned 64-bit little-endian hashes and nothing else.
/// </summary>
public sealed class ContaminationIndex
{
    private const string Extension = ".index.hashes";

    private readonly Dictionary<ulong, int> _hashes = [];
    private readonly List<string> _tasks = [];

    /// <summary>Number of different runs.</summary>
    public int Count => _hashes.Count;

    /// <summary>Names of the tasks, in the order they came.</summary>
    public IReadOnlyList<string> Tasks => _tasks;

    /// <summary>Adds the runs of one answer, and those of its question as asked for.</summary>
    /// <param name="task">Name of the task.</param>
    /// <param name="label">The answer.</param>
    /// <param name="query">The question, if known.</param>
    /// <param name="n">Words in a run.</param>
    /// <param name="findQuery">Whether runs of the question count.</param>
    /// <param name="findOverlap">Whether runs count that start in the question and end in the answer.</param>
    public void Add(string task, string label, string? query, int n, bool findQuery, bool findOverlap)
    {
        var number = NumberOf(task);
        var answer = new NGramHashes(label);
        AddRuns(answer, n, number);
        if (query is null)
            return;
        var question = new NGramHashes(query);
        if (findQuery)
            AddRuns(question, n, number);
        for (var words = 1; findOverlap && words < n; words++)
            if (question.Count >= n - words && answer.Count >= words)
                _hashes.TryAdd(NGramHashes.HashAcross(question, n - words, answer, words), number);
    }

    /// <summary>Adds a file of evaluation data in JSON lines.</summary>
    /// <returns>Number of lines used.</returns>
    /// <exception cref="InvalidDataException">A line is no JSON object, or no line has the label.</exception>
    internal int AddFile(string path, EvaluationData data, int n, bool findQuery, bool findOverlap)
    {
        var task = data.Task.Length > 0 ? data.Task : TaskNameOf(path);
        var used = 0;
        foreach (var (line, number) in WordList.ReadFile(path))
        {
            using var json = Parse(line, path, number);
            if (!json.RootElement.TryGetProperty(data.LabelKey, out var label))
                continue;
            var query = data.QueryKey.Length > 0 && json.RootElement.TryGetProperty(data.QueryKey, out var value)
                && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
            used++;
            foreach (var text in Texts(label))
                Add(task, text, query, n, findQuery, findOverlap);
        }
        return used > 0 ? used
            : throw new InvalidDataException($"No line of '{path}' has '{data.LabelKey}', so nothing would be found.");
    }

    /// <summary>Adds an index file; the task is its name.</summary>
    /// <exception cref="InvalidDataException">It is empty or not of whole numbers.</exception>
    public void AddIndexFile(string path)
    {
        var bytes = File.ReadAllBytes(path);
        if (bytes.Length == 0 || bytes.Length % 8 != 0)
            throw new InvalidDataException($"'{path}' has {bytes.Length} bytes, which is no list of 64-bit hashes.");
        var number = NumberOf(TaskNameOf(path));
        for (var i = 0; i < bytes.Length; i += 8)
            _hashes.TryAdd(BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(i)), number);
    }

    /// <summary>Writes an index file for each task, its hashes in order.</summary>
    public void Save(string folder)
    {
        foreach (var (name, number) in _tasks.Select((t, i) => (t, i)))
            AtomicFile.Write(Path.Combine(folder, name.Replace(' ', '_') + Extension), stream =>
            {
                Span<byte> buffer = stackalloc byte[8];
                foreach (var hash in _hashes.Where(h => h.Value == number).Select(h => h.Key).Order())
                {
                    BinaryPrimitives.WriteUInt64LittleEndian(buffer, hash);
                    stream.Write(buffer);
                }
            });
    }

    /// <summary>The first run of a text that is in the index, and its task; null if there is none. A run of numbers alone does
    /// not count: simplified, every table has it.</summary>
    public (string NGram, string Task)? Find(string text, int n)
    {
        var words = new NGramHashes(text);
        for (var i = 0; i + n <= words.Count; i++)
            if (_hashes.TryGetValue(words.Hash(i, n), out var task) && words.HasLetter(i, n))
                return (words.Text(i, n), _tasks[task]);
        return null;
    }

    private void AddRuns(NGramHashes words, int n, int task)
    {
        for (var i = 0; i + n <= words.Count; i++)
            _hashes.TryAdd(words.Hash(i, n), task);
    }

    private int NumberOf(string task)
    {
        var number = _tasks.IndexOf(task);
        if (number >= 0)
            return number;
        _tasks.Add(task);
        return _tasks.Count - 1;
    }

    private static string TaskNameOf(string path)
    {
        var name = Path.GetFileName(path);
        if (name.EndsWith(Extension, StringComparison.Ordinal))
            return name[..^Extension.Length];
        var dot = name.IndexOf('.');
        return dot > 0 ? name[..dot] : name;
    }

    private static JsonDocument Parse(string line, string path, int number)
    {
        try
        {
            var json = JsonDocument.Parse(line);
            return json.RootElement.ValueKind == JsonValueKind.Object ? json
                : throw new InvalidDataException($"{path}:{number}: not a JSON object.");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}:{number}: {e.Message}", e);
        }
    }

    private static IEnumerable<string> Texts(JsonElement label) => label.ValueKind switch
    {
        JsonValueKind.String => [label.GetString()!],
        JsonValueKind.Array => label.EnumerateArray().SelectMany(Texts),
        _ => [],
    };
}

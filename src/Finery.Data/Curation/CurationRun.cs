using System.Text.Json.Nodes;
using Finery.Data.Readers;
using Finery.Data.Tokenizers;
using Finery.Data.Writers;

namespace Finery.Data.Curation;

/// <summary>
/// Executes a curation. All of it is tasks with files of their own: parts through segments of filters, and the phases of stages
/// that look across documents. A task is done when its record exists; ranks take theirs by number, and nothing of the next phase
/// begins before every task of this one is done, by whomever.
/// </summary>
public sealed class CurationRun
{
    private static readonly TimeSpan s_poll = TimeSpan.FromMilliseconds(500);

    private readonly CurationFolder _folder;
    private readonly CurationOptions _options;
    private readonly CurationPlan _plan;
    private readonly Tokenizer? _tokenizer;
    private readonly Lock _progressLock = new();
    private long _documents;
    private int _done;

    private CurationRun(CurationPlan plan, CurationFolder folder, CurationOptions options)
    {
        (_plan, _folder, _options) = (plan, folder, options);
        _tokenizer = plan.Settings.Tokenizer is { } path ? TokenizerFile.Load(path) : null;
    }

    /// <summary>Runs, or goes on with, a curation.</summary>
    /// <param name="settings">What to do.</param>
    /// <param name="description">The same as JSON, to recognise the folder by.</param>
    /// <param name="folder">Where; common to all ranks.</param>
    /// <param name="options">How.</param>
    /// <exception cref="InvalidOperationException">The folder holds a curation of something else.</exception>
    /// <exception cref="InvalidDataException">Nothing was read, or nothing was kept.</exception>
    /// <exception cref="OperationCanceledException">Stopped; the same call continues.</exception>
    public static CurationResult Run(
        CurationSettings settings, JsonObject description, CurationFolder folder, CurationOptions options)
    {
        if (options.World < 1 || options.Rank < 0 || options.Rank >= options.World)
            throw new ArgumentException($"The rank must be from 0 to {options.World - 1}, not {options.Rank}.", nameof(options));
        var plan = CurationPlan.Open(settings, description, folder);
        options.Started?.Invoke();
        return new CurationRun(plan, folder, options).Run();
    }

    private CurationResult Run()
    {
        foreach (var segment in _plan.Segments)
        {
            if (segment.Head is { } head && RunPhases(segment, head) is { } missing)
                return missing;
            if (RunParts(segment) is { } unfinished)
                return unfinished;
            RequireDocuments(segment);
        }
        var statistics = Merge(_plan.Segments.Count);
        if (statistics.Written.Documents == 0)
            throw new InvalidDataException("Nothing was kept. " + Reasons(statistics));
        AtomicFile.WriteText(_folder.Statistics, statistics.ToJson());
        return new(true, "", statistics);
    }

    private CurationResult? RunPhases(Segment segment, CorpusStage head)
    {
        var name = StageCatalogue.NameOf(head);
        var corpus = new KeptCorpus(_plan, _folder, segment.Index - 1, _options.MemoryBytes);
        var stageFolder = _folder.Head(segment.Index, name);
        Directory.CreateDirectory(stageFolder);
        foreach (var phase in head.Phases(corpus, stageFolder))
        {
            var atOnce = Math.Clamp(Math.Min(_options.Workers, phase.Tasks), 1, int.MaxValue);
            var context = new TaskContext(_options.MemoryBytes / atOnce, Math.Max(1, _options.Workers / atOnce), _options.Stop);
            var unfinished = RunTasks($"{name}: {phase.Name}", $"{segment.Index:00}-{name}-{phase.Name}", phase.Tasks,
                task => File.Exists(_folder.PhaseMarker(segment.Index, name, phase.Name, task)),
                task =>
                {
                    phase.Run(task, context);
                    AtomicFile.WriteText(_folder.PhaseMarker(segment.Index, name, phase.Name, task), "");
                });
            if (unfinished is not null)
                return unfinished;
        }
        return null;
    }

    private CurationResult? RunParts(Segment segment)
    {
        var name = segment.StageNames.FirstOrDefault() is { } first
            ? $"{first}{(segment.StageNames.Count() > 1 ? $" to {segment.StageNames.Last()}" : "")}" : "read";
        var corpus = segment.Head is null ? null : new KeptCorpus(_plan, _folder, segment.Index - 1, _options.MemoryBytes);
        return RunTasks(name, $"{segment.Index:00}-parts", _plan.Parts.Count,
            part => PartRun.IsIntact(_folder, _folder.PartRecord(segment.Index, part)),
            part =>
            {
                using var head = corpus is null ? null
                    : segment.Head!.Open(corpus, _folder.Head(segment.Index, StageCatalogue.NameOf(segment.Head)), part);
                var run = new PartRun(_plan, segment, part, _folder, _tokenizer);
                long reported = 0;
                run.Run(head, _options.Stop, () =>
                {
                    Interlocked.Add(ref _documents, run.Documents - reported);
                    reported = run.Documents;
                    Advance(name, _plan.Parts.Count);
                });
                Interlocked.Add(ref _documents, run.Documents - reported);
            });
    }

    /// <returns>Null when all tasks are done, by this rank or others.</returns>
    private CurationResult? RunTasks(string name, string key, int count, Func<int, bool> isDone, Action<int> run)
    {
        (_done, _documents) = (0, 0);
        var own = Enumerable.Range(0, count).Where(task => task % _options.World == _options.Rank && !isDone(task)).ToList();
        if (own.Count > 0)
            _options.Log?.Invoke($"{name}: {own.Count} of {count} tasks");
        _done = count - own.Count;
        var next = -1;
        var failure = new TaskCompletionSource<Exception>();
        void Work()
        {
            for (int i; (i = Interlocked.Increment(ref next)) < own.Count && !failure.Task.IsCompleted;)
            {
                try
                {
                    _options.Stop.ThrowIfCancellationRequested();
                    using var claim = TaskClaim.TryTake(_folder.Lock($"{key}-{own[i]:00000}"));
                    // Someone else may have finished it between the look and the claim.
                    if (claim is not null && !isDone(own[i]))
                        run(own[i]);
                    Interlocked.Increment(ref _done);
                    Advance(name, count);
                }
                catch (Exception e)
                {
                    failure.TrySetResult(e);
                }
            }
        }
        var threads = Enumerable.Range(1, Math.Max(0, Math.Min(_options.Workers, own.Count) - 1))
            .Select(_ => new Thread(Work)).ToList();
        threads.ForEach(thread => thread.Start());
        Work();
        threads.ForEach(thread => thread.Join());
        if (failure.Task.IsCompleted)
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failure.Task.Result);
        return Await(name, count, isDone);
    }

    private CurationResult? Await(string name, int count, Func<int, bool> isDone)
    {
        var told = false;
        while (true)
        {
            var missing = Enumerable.Range(0, count).Where(task => !isDone(task)).ToList();
            if (missing.Count == 0)
                return null;
            var ranks = string.Join(", ", missing.Select(task => task % _options.World).Distinct().Order().Take(8));
            var message = $"{name}: {missing.Count} of {count} tasks are not done yet (of ranks {ranks})";
            if (!_options.Wait)
                return new(false, message, null);
            if (!told)
                _options.Log?.Invoke(message + "; waiting");
            told = true;
            if (_options.Stop.WaitHandle.WaitOne(s_poll))
                throw new OperationCanceledException(_options.Stop);
        }
    }

    private void Advance(string name, int tasks)
    {
        if (_options.Progress is null)
            return;
        lock (_progressLock)
            _options.Progress(_done, tasks, $"{name}, {Interlocked.Read(ref _documents):N0} documents");
    }

    private void RequireDocuments(Segment segment)
    {
        if (segment.Index > 0)
            return;
        var statistics = Merge(1);
        if (statistics.Read.Documents == 0)
            throw new InvalidDataException("Nothing was read. " + (statistics.Skipped.Count == 0 ? "The input is empty."
                : "Left out: " + string.Join("; ", statistics.Skipped.Select(
                    pair => $"{pair.Key} {pair.Value.Count} (first {pair.Value.FirstExample})"))));
    }

    private static string Reasons(CurationStatistics statistics) => "Dropped: " + string.Join(", ", statistics.Stages
        .SelectMany(stage => stage.Dropped).GroupBy(pair => pair.Key)
        .Select(group => (group.Key, Count: group.Sum(pair => pair.Value.Documents)))
        .OrderByDescending(reason => reason.Count).Take(6).Select(reason => $"{reason.Key} {reason.Count:N0}"));

    private CurationStatistics Merge(int segments)
    {
        var merged = new CurationStatistics();
        for (var segment = 0; segment < segments; segment++)
            for (var part = 0; part < _plan.Parts.Count; part++)
            {
                var record = JsonNode.Parse(File.ReadAllBytes(_folder.PartRecord(segment, part)))!;
                merged.Merge(CurationStatistics.FromJson(record["statistics"]!.ToJsonString()));
            }
        return merged;
    }
}

/// <summary>What a segment passed on.</summary>
internal sealed class KeptCorpus(CurationPlan plan, CurationFolder folder, int segment, long memoryBytes) : Corpus
{
    public override int Parts => plan.Parts.Count;

    public override long MemoryBytes => memoryBytes;

    public override IEnumerable<Document> Read(int part)
    {
        var report = new ReadReport();
        foreach (var document in new JsonLinesReader { Paths = [folder.KeptFile(segment, part)] }.Read(report))
            yield return document;
        RequireIntact(report);
    }

    /// <summary>These files are our own: whatever is wrong with one must not pass for a document less.</summary>
    /// <exception cref="InvalidDataException">Something was skipped.</exception>
    public static void RequireIntact(ReadReport report)
    {
        foreach (var (reason, items) in report.Skipped)
            throw new InvalidDataException(
                $"{items.FirstExample} is damaged ({reason}); delete that file to have it made again.");
    }
}

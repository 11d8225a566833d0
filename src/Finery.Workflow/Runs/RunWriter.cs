using System.Text;
using Finery.Workflow.Recipes;

namespace Finery.Workflow.Runs;

/// <summary>The one process that may write a run folder, as long as this lives: it holds a lock that ends with the
/// process.</summary>
internal sealed class RunWriter : IDisposable
{
    private static readonly TimeSpan Pulse = TimeSpan.FromSeconds(10);

    private readonly Lock _gate = new();
    private readonly FileStream _lock;
    private readonly Timer _heartbeat;
    private RunStatus _status;

    private RunWriter(RunFolder folder, FileStream held, RunStatus status)
    {
        Folder = folder;
        _lock = held;
        _status = status;
        AtomicFile.WriteJson(folder.PathOf(RunFolder.StatusFile), status);
        _heartbeat = new Timer(_ => Beat(), null, Pulse, Pulse);
    }

    public RunFolder Folder { get; }

    /// <summary>Takes possession of a run folder, making it if need be.</summary>
    /// <exception cref="RunFolderException">Another process has it, or it is no run folder.</exception>
    /// <exception cref="IOException">It cannot be written.</exception>
    public static RunWriter Open(string path, Recipe recipe, int threads)
    {
        var folder = new RunFolder(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)));
        if (File.Exists(folder.Path)) throw new RunFolderException($"{folder.Path} is a file; give the run another name.");
        if (Directory.Exists(folder.Path) && !IsRunFolder(folder))
            throw new RunFolderException($"{folder.Path} holds other files and is not a run folder; give the run another name.");
        Directory.CreateDirectory(folder.Path);
        var held = Lock(folder);
        try
        {
            AtomicFile.Write(folder.PathOf(RunFolder.RecipeFile), Encoding.UTF8.GetBytes(RecipeWriter.Yaml(recipe.Resolved)));
            var now = DateTimeOffset.UtcNow;
            return new RunWriter(folder, held, new RunStatus
            {
                Name = recipe.Name,
                State = RunState.Running,
                Seed = recipe.Seed,
                Source = recipe.Source,
                Finery = Machine.FineryVersion,
                Machine = Machine.Describe(),
                Pid = Environment.ProcessId,
                Host = Environment.MachineName,
                Attempt = 1 + (Earlier(folder)?.Attempt ?? 0),
                Threads = threads,
                Started = now,
                Heartbeat = now,
                Steps = [.. recipe.Steps.Select(step => new RunStep(step.Name, step.Type, StepState.Pending, 0))],
            });
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    public void SetStep(string name, StepState state, double seconds) => Change(status => status with
    {
        Steps = [.. status.Steps.Select(step => step.Name == name ? step with { State = state, Seconds = seconds } : step)],
    });

    public void End(RunState state, ExitCode exitCode, string? error) => Change(status => status with
    {
        State = state,
        ExitCode = (int)exitCode,
        Error = error,
        Ended = DateTimeOffset.UtcNow,
    });

    /// <summary>Makes the folder of a step ready and writes that it has begun.</summary>
    /// <param name="step">Its status.</param>
    /// <param name="clean">Remove what an earlier attempt left, rather than continue it.</param>
    /// <exception cref="RunFolderException">There is a folder that no step has made; it is left alone.</exception>
    public void BeginStep(StepStatus step, bool clean)
    {
        var folder = new DirectoryInfo(Folder.StepFolder(step.Name));
        if (folder.LinkTarget is not null)
            throw new RunFolderException($"{folder.FullName} is a link; the run does not write through it. Link the whole run folder instead.");
        if (folder.Exists)
        {
            var entries = folder.GetFileSystemInfos();
            if (clean && entries.Length > 0
                && !entries.Any(entry => entry.Name is RunFolder.StepFile or RunFolder.StepFile + AtomicFile.Unfinished))
                throw new RunFolderException($"{folder.FullName} was not made by a run; move it away or rename the step.");
            // step.json goes last, by being replaced: a kill in between leaves a step whose outputs are found damaged.
            foreach (var entry in entries)
            {
                // What continues an attempt is its state and its records; its outputs are written anew.
                if (!clean && entry.Name is RunFolder.StateFolder or RunFolder.LogFile or RunFolder.MetricsFile
                    or RunFolder.EventsFile) continue;
                if (entry is DirectoryInfo { LinkTarget: null } inner) inner.Delete(recursive: true);
                else if (entry.Name != RunFolder.StepFile) entry.Delete();
            }
        }
        folder.Create();
        WriteStep(step);
        SetStep(step.Name, StepState.Running, 0);
    }

    public void WriteStep(StepStatus step) =>
        AtomicFile.WriteJson(Path.Combine(Folder.StepFolder(step.Name), RunFolder.StepFile), step);

    /// <summary>Removes checkpoints and scratch of a finished step, also what a kill at the last moment left.</summary>
    public void RemoveState(string step)
    {
        string state = Path.Combine(Folder.StepFolder(step), RunFolder.StateFolder);
        if (Directory.Exists(state)) Directory.Delete(state, recursive: true);
    }

    public void Dispose()
    {
        using (var done = new ManualResetEvent(false))
        {
            if (_heartbeat.Dispose(done)) done.WaitOne();
        }
        _lock.Dispose();
    }

    private static FileStream Lock(RunFolder folder)
    {
        try
        {
            return new FileStream(folder.PathOf(RunFolder.LockFile), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e) when (e is not (FileNotFoundException or DirectoryNotFoundException or PathTooLongException))
        {
            var owner = Earlier(folder);
            string who = owner is null ? "another process" : FormattableString.Invariant($"process {owner.Pid} on {owner.Host}");
            throw new RunFolderException($"{folder.Path} is in use by {who}; wait for it, stop it, or give this run another name.");
        }
    }

    private static RunStatus? Earlier(RunFolder folder)
    {
        try
        {
            return folder.Status();
        }
        catch (RunFolderException)
        {
            return null;
        }
    }

    /// <summary>One that has its status file, is empty, or was killed before it had one.</summary>
    private static bool IsRunFolder(RunFolder folder) =>
        File.Exists(folder.PathOf(RunFolder.StatusFile)) || Directory.EnumerateFileSystemEntries(folder.Path).All(entry =>
            Path.GetFileName(entry) is RunFolder.LockFile or RunFolder.RecipeFile or RunFolder.RecipeFile + AtomicFile.Unfinished
                or RunFolder.StatusFile + AtomicFile.Unfinished);

    private void Beat()
    {
        try
        {
            Change(status => status);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A full disk must not end the process from a timer; the step will meet it and say so.
        }
    }

    private void Change(Func<RunStatus, RunStatus> change)
    {
        lock (_gate)
        {
            _status = change(_status) with { Heartbeat = DateTimeOffset.UtcNow };
            AtomicFile.WriteJson(Folder.PathOf(RunFolder.StatusFile), _status);
        }
    }
}

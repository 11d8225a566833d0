using System.Diagnostics;
using Finery.Workflow.Recipes;
using Finery.Workflow.Steps;

namespace Finery.Workflow.Runs;

/// <summary>One run under way.</summary>
internal sealed class Execution(
    Recipe recipe, RunWriter writer, RunOptions options, RecipeSchema schema, IRunObserver observer, CancellationToken stop)
{
    private readonly Planner _planner = new(recipe, writer.Folder, options, schema, stop);
    private readonly Dictionary<string, StepResult> _results = [];
    private readonly Dictionary<string, ExitCode> _failures = [];

    public RunResult Run(IEnumerable<RecipeStep> steps)
    {
        foreach (var step in steps)
        {
            if (stop.IsCancellationRequested) break;
            var broken = Producers(step).Where(name => _results[name].State is StepState.Failed or StepState.Skipped).ToArray();
            var result = broken.Length > 0
                ? new StepResult(step.Name, step.Type, StepState.Skipped, 0, $"needs {string.Join(", ", broken)}")
                : RunStep(step);
            _results[step.Name] = result;
            Show(result);
            observer.StepFinished(result);
            if (result.State == StepState.Interrupted) break;
        }
        return End([.. steps]);
    }

    /// <summary>What a failure is to the user: one line.</summary>
    public static string OneLine(Exception exception)
    {
        if (exception is AggregateException { InnerException: { } inner }) return OneLine(inner);
        string text = exception switch
        {
            IOException when IsDiskFull(exception) =>
                $"the disk is full ({exception.Message}); free some space and run again: it continues",
            StepFailedException or RecipeException or RunFolderException or IOException or UnauthorizedAccessException =>
                exception.Message,
            OutOfMemoryException => $"out of memory: {exception.Message}",
            _ => $"{exception.GetType().Name}: {exception.Message}",
        };
        return text.ReplaceLineEndings(" ");
    }

    /// <summary>ENOSPC and EDQUOT of Linux and macOS, ERROR_DISK_FULL and ERROR_HANDLE_DISK_FULL of Windows.</summary>
    private static bool IsDiskFull(Exception e) =>
        OperatingSystem.IsWindows() ? (e.HResult & 0xFFFF) is 0x70 or 0x27 : e.HResult is 28 or 122 or 69
            || e.Message.Contains("No space left");

    private StepResult RunStep(RecipeStep step)
    {
        var clock = Stopwatch.StartNew();
        Planner.Decision decision;
        try
        {
            decision = _planner.Decide(step);
            if (decision.Plan.Action == PlannedAction.Cached)
            {
                writer.RemoveState(step.Name);
                if (options.ProfiledSteps > 0 && step.Step is ITrainingStep)
                    observer.Log(step.Name, warning: true, "nothing was profiled: the step is finished and did not run");
                return new(step.Name, step.Type, StepState.Cached, clock.Elapsed.TotalSeconds, decision.Plan.Reason);
            }
            writer.BeginStep(decision.Status, clean: decision.Plan.Action != PlannedAction.Resume);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return new(step.Name, step.Type, StepState.Interrupted, clock.Elapsed.TotalSeconds, "interrupted before it began");
        }
        catch (Exception e) when (e is RecipeException or RunFolderException or IOException or UnauthorizedAccessException)
        {
            _failures[step.Name] = e is RecipeException ? ExitCode.MissingPrerequisite : ExitCode.Failure;
            return new(step.Name, step.Type, StepState.Failed, clock.Elapsed.TotalSeconds, OneLine(e), e);
        }
        observer.StepStarting(decision.Plan);
        return Work(step, decision, clock);
    }

    private StepResult Work(RecipeStep step, Planner.Decision decision, Stopwatch clock)
    {
        var status = decision.Status;
        try
        {
            string folder = writer.Folder.StepFolder(step.Name);
            ulong seed = StepRecorder.SeedOf(recipe.Seed, step);
            using var recorder = new StepRecorder(step.Name, folder, seed, options, SecondsSoFar(), observer, stop);
            status = status with { Summary = recorder.Summary };
            try
            {
                step.Step.Run(recorder);
                status = status with { Outputs = _planner.Finished(step) };
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                recorder.Error(e);
                throw;
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return Close(step, status with { State = StepState.Interrupted }, clock, "interrupted; run again to continue");
        }
        // Whatever a step throws is the failure of that step, not of the run: other steps may still go on.
        catch (Exception e)
        {
            _failures[step.Name] = e is StepFailedException known ? known.Code : e is RecipeException ? ExitCode.Usage
                : ExitCode.Failure;
            var failed = status with { State = StepState.Failed, Error = OneLine(e), ExitCode = (int)_failures[step.Name] };
            return Close(step, failed, clock, OneLine(e), e);
        }
        return Close(step, status with { State = StepState.Finished }, clock, decision.Plan.Reason);
    }

    private StepResult Close(RecipeStep step, StepStatus status, Stopwatch clock, string detail, Exception? exception = null)
    {
        double seconds = clock.Elapsed.TotalSeconds;
        try
        {
            writer.WriteStep(status with { Ended = DateTimeOffset.UtcNow, Seconds = Math.Round(status.Seconds + seconds, 3) });
            if (status.State == StepState.Finished) writer.RemoveState(step.Name);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Not recorded, so not finished: the next run continues from what step.json said last.
            _failures.TryAdd(step.Name, ExitCode.Failure);
            return new(step.Name, step.Type, StepState.Failed, seconds, exception is null ? OneLine(e) : detail, exception ?? e);
        }
        return new(step.Name, step.Type, status.State, seconds, detail, exception);
    }

    /// <summary>What the steps before this one took when they ran: the same whether they were cached now or not.</summary>
    private double SecondsSoFar() => writer.Folder.Steps().Where(step => _results.ContainsKey(step.Name)).Sum(step => step.Seconds);

    private void Show(StepResult result)
    {
        try
        {
            writer.SetStep(result.Name, result.State, result.Seconds);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // run.json is for showing only; what counts is in step.json.
        }
    }

    private RunResult End(RecipeStep[] wanted)
    {
        var results = recipe.Steps.Select(step => _results.GetValueOrDefault(step.Name)
            ?? new StepResult(step.Name, step.Type, StepState.Pending, 0, "not run")).ToArray();
        bool interrupted = wanted.Any(step => !_results.ContainsKey(step.Name)
            || _results[step.Name].State == StepState.Interrupted);
        var code = interrupted ? ExitCode.Interrupted : FailureCode();
        var failed = results.FirstOrDefault(result => result.State == StepState.Failed);
        string? error = interrupted ? "interrupted; the same command continues" : failed is null ? null
            : $"step '{failed.Name}' failed: {failed.Detail}";
        var state = interrupted ? RunState.Interrupted : failed is null ? RunState.Finished : RunState.Failed;
        try
        {
            writer.End(state, code, error);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            if (code == ExitCode.Ok) code = ExitCode.Failure;
            error ??= OneLine(e);
        }
        try
        {
            options.Report?.Invoke(writer.Folder);
        }
        catch (Exception e)
        {
            observer.Log("", warning: true, $"the report could not be written: {OneLine(e)}");
        }
        return new RunResult(code, results, error);
    }

    private ExitCode FailureCode()
    {
        if (_failures.Count == 0) return ExitCode.Ok;
        // In the order of the recipe: the first failure is the one to look at.
        foreach (var step in recipe.Steps)
            if (_failures.TryGetValue(step.Name, out var code) && code != ExitCode.Failure) return code;
        var blamed = new HashSet<string>(_failures.Keys);
        foreach (var step in recipe.Steps.Reverse())
            if (blamed.Contains(step.Name)) blamed.UnionWith(Producers(step));
        bool others = _results.Values.Any(result => result.State is StepState.Finished or StepState.Cached
            && !blamed.Contains(result.Name));
        return others ? ExitCode.Partial : ExitCode.Failure;
    }

    private static IEnumerable<string> Producers(RecipeStep step) =>
        step.Inputs().Select(input => input.Artifact.Producer).OfType<string>().Distinct();
}

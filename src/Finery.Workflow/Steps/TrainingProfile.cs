using System.Text;
using Finery.Tensors;
using Finery.Tensors.Profiling;
using Finery.Workflow.Runs;

namespace Finery.Workflow.Steps;

/// <summary>Profiles <see cref="StepContext.ProfiledSteps"/> of a training run and writes what they cost beside the step's outputs, as
/// a table and as a Chrome trace.</summary>
internal sealed class TrainingProfile(StepContext context, Kernels kernels)
{
    /// <summary>Name of the Chrome trace.</summary>
    public const string TraceFile = "profile.json";

    /// <summary>Name of the table.</summary>
    public const string TableFile = "profile.txt";

    // The first steps touch memory for the first time and run code before it is optimised.
    private const int WarmUp = 3;

    private long _first, _last;
    private int _steps;

    /// <summary>To be called after every step of the run, with its number.</summary>
    public void AfterStep(long step)
    {
        _steps++;
        _last = step;
        if (_steps == WarmUp) (kernels.Profiler, _first) = (new OpProfiler(), step + 1);
        if (_steps == WarmUp + context.ProfiledSteps) Write();
    }

    /// <summary>To be called when the run is over, however it ended.</summary>
    public void Finish()
    {
        if (_steps <= WarmUp) context.Warn($"nothing was profiled: {_steps} steps were run, the first {WarmUp} are not representative");
        else if (kernels.Profiler is not null) Write();
        kernels.Profiler = null;
    }

    private void Write()
    {
        var profiler = kernels.Profiler!;
        kernels.Profiler = null;
        string title = $"profile of steps {_first} to {_last}, threads: {context.Threads}", table = profiler.Table();
        using var trace = new MemoryStream();
        profiler.WriteTrace(trace);
        try
        {
            AtomicFile.Write(context.Output(TableFile), Encoding.UTF8.GetBytes($"{title}\n{table}"));
            AtomicFile.Write(context.Output(TraceFile), trace.GetBuffer().AsSpan(0, (int)trace.Length));
            context.Log($"{title}\n{table}table: {context.Output(TableFile)}\nChrome trace: {context.Output(TraceFile)}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A profile is no reason to lose a training run.
            context.Warn($"the profile could not be written: {e.Message}");
        }
    }
}

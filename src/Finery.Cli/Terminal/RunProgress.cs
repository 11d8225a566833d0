using System.Diagnostics;
using System.Globalization;
using Finery.Workflow.Runs;

namespace Finery.Cli.Terminal;

/// <summary>
/// Shows a run on stderr: on a terminal one line that rewrites itself (bar, percent, figures, remaining time), otherwise a plain
/// line every few seconds. Finished steps and log lines stay.
/// </summary>
/// <param name="streams">Where to write.</param>
/// <param name="debug">Whether failed steps show their stack.</param>
public sealed class RunProgress(Streams streams, bool debug) : IRunObserver
{
    private const int BarCells = 24, SecondsBetweenLines = 5;
    private static readonly TimeSpan BetweenRedraws = TimeSpan.FromMilliseconds(100);

    private readonly bool _live = streams.MessagesAnimated;
    private readonly Stopwatch _step = new();
    private long _lastShown;
    private bool _lineOpen;

    // Where the rate is measured from: the first report of the step, since a resumed step starts in the middle, or of a part of it
    // that goes to another total.
    private double _firstDone = double.NaN;
    private double _firstSeconds, _total;

    /// <inheritdoc/>
    public void StepStarting(StepPlan step)
    {
        _step.Restart();
        (_firstDone, _lastShown) = (double.NaN, Stopwatch.GetTimestamp());
        Line($"{step.Name}: started ({step.Reason})");
    }

    /// <inheritdoc/>
    public void StepFinished(StepResult step)
    {
        // What depends on a failed step says nothing new: the failure itself is the last line of the run.
        if (step.State is StepState.Skipped) return;
        string line = step.State switch
        {
            StepState.Finished => $"{step.Name}: finished in {Quantities.Duration(step.Seconds)}",
            StepState.Cached => $"{step.Name}: nothing to do ({step.Detail})",
            StepState.Failed => $"{step.Name}: failed after {Quantities.Duration(step.Seconds)}",
            StepState.Interrupted =>
                $"{step.Name}: interrupted after {Quantities.Duration(step.Seconds)}; the same command continues it",
            _ => $"{step.Name}: {step.State.ToString().ToLowerInvariant()} ({step.Detail})",
        };
        Line(line);
        if (debug && step.Exception is not null) Line(step.Exception.ToString());
    }

    /// <inheritdoc/>
    public void Log(string step, bool warning, string message) => Line($"  {step}: {(warning ? "warning: " : "")}{message}");

    /// <inheritdoc/>
    public void Progress(string step, double done, double total, string text)
    {
        double seconds = _step.Elapsed.TotalSeconds;
        if (double.IsNaN(_firstDone) || total != _total) (_firstDone, _firstSeconds, _total) = (done, seconds, total);
        var sinceShown = Stopwatch.GetElapsedTime(_lastShown);
        if (sinceShown < (_live ? BetweenRedraws : TimeSpan.FromSeconds(SecondsBetweenLines))) return;
        _lastShown = Stopwatch.GetTimestamp();
        string figures = Figures(done, total, seconds, text);
        if (!_live)
        {
            Line($"  {step}: {figures}");
            return;
        }
        string bar = total > 0 ? Bar(done / total) + " " : "";
        string line = $"  {step}: {bar}{figures}";
        int width = Math.Max(20, Width() - 1);
        streams.Messages.Write("\r\x1b[K" + (line.Length > width ? line[..width] : line));
        streams.Messages.Flush();
        _lineOpen = true;
    }

    /// <inheritdoc/>
    public void Metrics(string step, long at, ReadOnlySpan<(string Name, double Value)> values)
    {
        // What a step wants seen while it runs is in the text of its progress.
    }

    /// <summary>Ends a line that is being rewritten.</summary>
    public void Close()
    {
        if (!_lineOpen) return;
        streams.Messages.Write("\r\x1b[K");
        _lineOpen = false;
    }

    private string Figures(double done, double total, double seconds, string text)
    {
        var parts = new List<string>();
        if (total > 0) parts.Add(string.Create(CultureInfo.InvariantCulture, $"{Math.Clamp(done / total, 0, 1):0.0%}"));
        if (text.Length > 0) parts.Add(text);
        parts.Add(Quantities.Duration(seconds));
        double rate = (done - _firstDone) / (seconds - _firstSeconds);
        if (total > 0 && done < total && rate > 0
            && double.IsFinite(rate)) parts.Add($"{Quantities.Duration((total - done) / rate)} left");
        return string.Join(", ", parts);
    }

    private static string Bar(double fraction)
    {
        int full = (int)(Math.Clamp(fraction, 0, 1) * BarCells);
        return "[" + new string('#', full) + new string('.', BarCells - full) + "]";
    }

    private static int Width()
    {
        try
        {
            return Console.WindowWidth;
        }
        catch (IOException)
        {
            return 80;
        }
    }

    private void Line(string text)
    {
        Close();
        streams.Messages.WriteLine(text);
    }
}

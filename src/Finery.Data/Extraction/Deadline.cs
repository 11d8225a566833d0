using System.Diagnostics;

namespace Finery.Data.Extraction;

/// <summary>A moment after which work is given up; work asks for it now and then.</summary>
internal readonly struct Deadline(int milliseconds)
{
    private readonly long _end = milliseconds <= 0
        ? long.MaxValue
        : Stopwatch.GetTimestamp() + (long)(milliseconds * (Stopwatch.Frequency / 1000.0));

    /// <summary>Whether it has passed.</summary>
    public bool IsOver => _end != long.MaxValue && Stopwatch.GetTimestamp() > _end;
}

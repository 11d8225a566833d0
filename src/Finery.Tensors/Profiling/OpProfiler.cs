using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Finery.Tensors.Profiling;

/// <summary>What one kind of op cost.</summary>
/// <param name="Op">Name of the kernel's face, or of a scope opened around several.</param>
/// <param name="Calls">Times it ran.</param>
/// <param name="Seconds">Total time.</param>
/// <param name="Flops">Floating-point operations of the op's formula, for the tokens that it cannot skip.</param>
/// <param name="Bytes">Bytes of its tensors, each read once, written once or, where it is changed in place, both: the least that must
/// move.</param>
/// <param name="Outer">Whether it encloses ops, whose time, operations and bytes it then contains.</param>
public sealed record OpCost(string Op, long Calls, double Seconds, double Flops, double Bytes, bool Outer);

/// <summary>
/// Records when every op ran, how much it computed and moved. Attach one to <see cref="Kernels.Profiler"/>; without one an op pays a
/// null check. Written as a table and as a Chrome trace (chrome://tracing, Perfetto).
/// </summary>
/// <remarks>Of one thread, as kernels are: the one that calls the ops. What their workers do is inside the op. Read it when all scopes
/// have ended.</remarks>
public sealed class OpProfiler
{
    // Ten steps of a model of thirty layers.
    private readonly List<Event> _events = new(1 << 14);
    private readonly long _origin = Stopwatch.GetTimestamp();

    // Of all ops so far.
    private double _flops, _bytes;

    /// <summary>Opens a scope around several ops: a step, its forward pass.</summary>
    public Scope Measure(string name) => new(this, name, null, -_flops, -_bytes, outer: true);

    /// <summary>Costs by op, the dearest first; scopes around several ops before them.</summary>
    public IReadOnlyList<OpCost> Costs() =>
    [
        .. _events.GroupBy(e => (e.Op, e.Outer)).Select(group => new OpCost(
            group.Key.Op, group.Count(), group.Sum(e => Seconds(e.End - e.Start)), group.Sum(e => e.Flops), group.Sum(e => e.Bytes), group.Key.Outer))
            .OrderByDescending(cost => cost.Outer).ThenByDescending(cost => cost.Seconds),
    ];

    /// <summary>The costs as aligned text: time, share of all ops, GFLOP/s, GB/s.</summary>
    public string Table()
    {
        var costs = Costs();
        double total = costs.Where(cost => !cost.Outer).Sum(cost => cost.Seconds);
        var text = new StringBuilder();
        text.AppendLine("op                                  calls         ms   share   GFLOP/s      GB/s");
        foreach (var cost in costs)
        {
            string share = cost.Outer ? "" : (cost.Seconds / total).ToString("P1", CultureInfo.InvariantCulture);
            text.AppendLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{cost.Op,-34} {cost.Calls,6} {cost.Seconds * 1e3,10:F2} {share,7} {Rate(cost.Flops, cost.Seconds),9} {Rate(cost.Bytes, cost.Seconds),9}"));
        }
        return text.ToString();
    }

    /// <summary>Writes the events in the Trace Event Format: complete events, microseconds.</summary>
    public void WriteTrace(Stream stream)
    {
        using var json = new Utf8JsonWriter(stream);
        json.WriteStartObject();
        json.WriteString("displayTimeUnit", "ms");
        json.WriteStartArray("traceEvents");
        foreach (var e in _events)
        {
            double seconds = Seconds(e.End - e.Start);
            json.WriteStartObject();
            json.WriteString("name", e.Op);
            json.WriteString("cat", e.Outer ? "scope" : "op");
            json.WriteString("ph", "X");
            json.WriteNumber("ts", Seconds(e.Start - _origin) * 1e6);
            json.WriteNumber("dur", seconds * 1e6);
            json.WriteNumber("pid", 1);
            json.WriteNumber("tid", 1);
            json.WriteStartObject("args");
            if (e.Tensor is not null) json.WriteString("tensor", e.Tensor);
            json.WriteNumber("GFLOP/s", seconds > 0 ? Math.Round(e.Flops / seconds * 1e-9, 2) : 0);
            json.WriteNumber("GB/s", seconds > 0 ? Math.Round(e.Bytes / seconds * 1e-9, 2) : 0);
            json.WriteEndObject();
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }

    internal Scope Op(string op, string tensor, double flops, double bytes) => new(this, op, tensor, flops, bytes, outer: false);

    private void Record(in Event e)
    {
        if (e.Outer)
        {
            // It began with the totals of that moment, negated.
            _events.Add(e with { Flops = e.Flops + _flops, Bytes = e.Bytes + _bytes });
            return;
        }
        _flops += e.Flops;
        _bytes += e.Bytes;
        _events.Add(e);
    }

    private static double Seconds(long ticks) => ticks / (double)Stopwatch.Frequency;

    private static string Rate(double work, double seconds) =>
        work > 0 && seconds > 0 ? (work / seconds * 1e-9).ToString("F1", CultureInfo.InvariantCulture) : "";

    private readonly record struct Event(string Op, string? Tensor, long Start, long End, double Flops, double Bytes, bool Outer);

    /// <summary>Ends what it measures when disposed. The default scope measures nothing.</summary>
    public readonly ref struct Scope
    {
        private readonly OpProfiler? _profiler;
        private readonly string _op;
        private readonly string? _tensor;
        private readonly long _start;
        private readonly double _flops;
        private readonly double _bytes;
        private readonly bool _outer;

        internal Scope(OpProfiler profiler, string op, string? tensor, double flops, double bytes, bool outer)
        {
            (_profiler, _op, _tensor, _flops, _bytes, _outer) = (profiler, op, tensor, flops, bytes, outer);
            _start = Stopwatch.GetTimestamp();
        }

        /// <summary>Records the event.</summary>
        public void Dispose() => _profiler?.Record(new(_op, _tensor, _start, Stopwatch.GetTimestamp(), _flops, _bytes, _outer));
    }
}

using System.Diagnostics;
using System.Text.Json;

namespace Finery.Benchmarks;

/// <summary>Times a case against its peer, turn by turn, so that whatever else the machine does falls on both.</summary>
internal static class Measurement
{
    private const double Budget = 1.2;
    private const int FewestRuns = 5, MostRuns = 200, PeerRest = 60, WarmUp = 400;

    /// <summary>Prints one line of JSON: medians of rates, and of the ratios of neighbouring runs.</summary>
    /// <param name="name">Name of the case.</param>
    /// <param name="work">Work of one run, in units of <paramref name="unit"/> times seconds.</param>
    /// <param name="unit">What is done per second.</param>
    /// <param name="threads">Threads both use.</param>
    /// <param name="ours">Our run.</param>
    /// <param name="peer">The peer's, where it is installed.</param>
    public static void Report(string name, double work, string unit, int threads, Action ours, Action? peer)
    {
        // Until the just-in-time compiler has optimised what it finds busy.
        RunFor(WarmUp, ours);
        if (peer is not null) RunFor(PeerRest, peer);
        List<double> rates = [], peerRates = [], ratios = [];
        var clock = Stopwatch.StartNew();
        while (rates.Count < FewestRuns || (clock.Elapsed.TotalSeconds < Budget && rates.Count < MostRuns))
        {
            // OpenBLAS's threads wait busily for a while after a product, on the processors that ours need; and a processor that rested
            // takes some time to its full speed.
            if (threads > 1) RunFor(PeerRest, ours);
            rates.Add(work / Seconds(ours));
            if (peer is null) continue;
            if (threads > 1) Seconds(peer);
            peerRates.Add(work / Seconds(peer));
            ratios.Add(rates[^1] / peerRates[^1]);
        }
        Print(name, rates, peerRates, unit, threads, ratios);
    }

    /// <summary>Median time of several runs, after one that does not count.</summary>
    public static double MedianSeconds(int runs, Action action)
    {
        Seconds(action);
        return Median(Enumerable.Range(0, runs).Select(_ => Seconds(action)));
    }

    /// <summary>Time of one run.</summary>
    public static double Seconds(Action action)
    {
        long start = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    /// <summary>The middle value, or the mean of the two in the middle; NaN of none.</summary>
    public static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted.Length == 0 ? double.NaN : (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    /// <summary>The most memory, in bytes, that this process ever had resident.</summary>
    public static long PeakResident()
    {
        using var process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64;
    }

    /// <summary>Prints one line of JSON: medians of rates, and of the ratios of the same turn.</summary>
    public static void Print(
        string name, IReadOnlyList<double> ours, IReadOnlyList<double> peer, string unit, int threads, IEnumerable<double>? ratios = null)
    {
        Console.WriteLine(JsonSerializer.Serialize(new Dictionary<string, object?>
        {
            ["case"] = name,
            ["ours"] = Rounded(ours),
            ["peer"] = Rounded(peer),
            ["ratio"] = Rounded(ratios ?? ours.Zip(peer, (a, b) => a / b)),
            ["unit"] = unit,
            ["threads"] = threads,
        }));
    }

    private static void RunFor(double milliseconds, Action action)
    {
        long start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(start).TotalMilliseconds < milliseconds) action();
    }

    private static double? Rounded(IEnumerable<double> values) => Median(values) is var median && double.IsNaN(median) ? null : Math.Round(median, 3);
}

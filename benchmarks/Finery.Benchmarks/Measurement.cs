using System.Diagnostics;
using System.Text.Json;

namespace Finery.Benchmarks;

/// <summary>Times a case against its peer, turn by turn, so that whatever else the machine does falls on both.</summary>
internal static class Measurement
{
    private const double Budget = 2.0;
    private const int FewestRuns = 5, MostRuns = 200;

    /// <summary>Prints one line of JSON: medians of rates, and of the ratios of neighbouring runs.</summary>
    /// <param name="name">Name of the case.</param>
    /// <param name="work">Work of one run, in units of <paramref name="unit"/> times seconds.</param>
    /// <param name="unit">What is done per second.</param>
    /// <param name="threads">Threads both use.</param>
    /// <param name="ours">Our run.</param>
    /// <param name="peer">The peer's, where it is installed.</param>
    public static void Report(string name, double work, string unit, int threads, Action ours, Action? peer)
    {
        Seconds(ours);
        if (peer is not null) Seconds(peer);
        List<double> rates = [], peerRates = [], ratios = [];
        var clock = Stopwatch.StartNew();
        while (rates.Count < FewestRuns || (clock.Elapsed.TotalSeconds < Budget && rates.Count < MostRuns))
        {
            rates.Add(work / Seconds(ours));
            if (peer is null) continue;
            peerRates.Add(work / Seconds(peer));
            ratios.Add(rates[^1] / peerRates[^1]);
        }
        Console.WriteLine(JsonSerializer.Serialize(new Dictionary<string, object?>
        {
            ["case"] = name,
            ["ours"] = Median(rates),
            ["peer"] = Median(peerRates),
            ["ratio"] = Median(ratios),
            ["unit"] = unit,
            ["threads"] = threads,
        }));
    }

    private static double Seconds(Action action)
    {
        long start = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static double? Median(List<double> values)
    {
        if (values.Count == 0) return null;
        values.Sort();
        int middle = values.Count / 2;
        double median = values.Count % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
        return Math.Round(median, 3);
    }
}

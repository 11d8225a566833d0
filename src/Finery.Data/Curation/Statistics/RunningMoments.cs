using System.Text.Json.Nodes;

namespace Finery.Data.Curation.Statistics;

/// <summary>
/// Count, sum, mean, variance, least and greatest of numbers, one by one (Welford 1962) and merged (Chan, Golub and LeVeque
/// 1979).
/// </summary>
public sealed class RunningMoments
{
    private double _squares;

    /// <summary>How many numbers.</summary>
    public long Count { get; private set; }

    /// <summary>Their sum.</summary>
    public double Total { get; private set; }

    /// <summary>Their mean; 0 without any.</summary>
    public double Mean { get; private set; }

    /// <summary>The least; infinity without any.</summary>
    public double Min { get; private set; } = double.PositiveInfinity;

    /// <summary>The greatest; minus infinity without any.</summary>
    public double Max { get; private set; } = double.NegativeInfinity;

    /// <summary>Sample variance; 0 below two numbers.</summary>
    public double Variance => Count > 1 ? _squares / (Count - 1) : 0;

    /// <summary>Takes in a number.</summary>
    public void Add(double value)
    {
        Count++;
        Total += value;
        Min = Math.Min(Min, value);
        Max = Math.Max(Max, value);
        var delta = value - Mean;
        Mean += delta / Count;
        _squares += delta * (value - Mean);
    }

    /// <summary>Takes in what others took in.</summary>
    public void Merge(RunningMoments other)
    {
        if (other.Count == 0)
            return;
        var count = Count + other.Count;
        var delta = other.Mean - Mean;
        _squares += other._squares + delta * delta * Count * other.Count / count;
        Mean += delta * other.Count / count;
        Count = count;
        Total += other.Total;
        Min = Math.Min(Min, other.Min);
        Max = Math.Max(Max, other.Max);
    }

    /// <summary>In datatrove's short form: 0 where the total is 0, the bare total where all numbers were ones; else an object
    /// that leaves out what follows from the rest.</summary>
    public JsonNode ToJson()
    {
        if (Total == 0)
            return 0;
        var json = new JsonObject { ["total"] = Number(Total) };
        if (Count > 1 && Count != Total)
            json["n"] = Count;
        if (Mean != 1 || Min != Mean || Max != Mean)
            json["mean"] = Mean;
        if (Min != Mean || Max != Mean)
        {
            json["variance"] = Variance;
            json["std_dev"] = Math.Sqrt(Variance);
            json["min"] = Number(Min);
            json["max"] = Number(Max);
        }
        return json.Count == 1 ? Number(Total) : json;
    }

    /// <summary>Everything, for merging later.</summary>
    internal void Write(BinaryWriter writer)
    {
        writer.Write(Count);
        foreach (var value in (ReadOnlySpan<double>)[Total, Mean, _squares, Min, Max])
            writer.Write(value);
    }

    /// <summary>What <see cref="Write"/> wrote.</summary>
    internal static RunningMoments Read(BinaryReader reader) => new()
    {
        Count = reader.ReadInt64(), Total = reader.ReadDouble(), Mean = reader.ReadDouble(), _squares = reader.ReadDouble(),
        Min = reader.ReadDouble(), Max = reader.ReadDouble(),
    };

    private static JsonNode Number(double value) =>
        value == Math.Floor(value) && Math.Abs(value) < 1L << 53 ? (long)value : value;
}

using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Finery.Data.Curation;

/// <summary>Documents, bytes of UTF-8 text, and tokens where they are counted.</summary>
public sealed class Volume
{
    /// <summary>Documents.</summary>
    public long Documents { get; set; }

    /// <summary>Bytes of UTF-8 text.</summary>
    public long Bytes { get; set; }

    /// <summary>Tokens; 0 where none are counted.</summary>
    public long Tokens { get; set; }

    internal void Add(long documents, long bytes, long tokens)
    {
        Documents += documents;
        Bytes += bytes;
        Tokens += tokens;
    }

    internal void Merge(Volume other) => Add(other.Documents, other.Bytes, other.Tokens);
}

/// <summary>What one stage did.</summary>
public sealed class StageStatistics
{
    /// <summary>Recipe name.</summary>
    public string Name { get; set; } = "";

    /// <summary>What passed it, as it left it.</summary>
    public Volume Kept { get; set; } = new();

    /// <summary>What it dropped, as it stood, by reason.</summary>
    public SortedDictionary<string, Volume> Dropped { get; set; } = new(StringComparer.Ordinal);

    /// <summary>Measured values by rule, in no order.</summary>
    public SortedDictionary<string, RuleStatistics> Rules { get; set; } = new(StringComparer.Ordinal);

    /// <summary>A random sample of documents by reason; the empty reason for kept ones.</summary>
    public SortedDictionary<string, ExampleSample> Examples { get; set; } = new(StringComparer.Ordinal);

    internal void Merge(StageStatistics other)
    {
        Name = other.Name;
        Kept.Merge(other.Kept);
        foreach (var (reason, volume) in other.Dropped)
            Of(Dropped, reason).Merge(volume);
        foreach (var (rule, values) in other.Rules)
            Of(Rules, rule).Merge(values);
        foreach (var (reason, sample) in other.Examples)
            Of(Examples, reason).Merge(sample);
    }

    internal static T Of<T>(IDictionary<string, T> items, string key)
        where T : new()
    {
        if (!items.TryGetValue(key, out var item))
            items[key] = item = new();
        return item;
    }
}

/// <summary>
/// What a curation did, of one part or merged over all. Merging is a sum over parts by their number, so counting a part twice or
/// in another order cannot happen: a rerun part replaces its own record.
/// </summary>
public sealed class CurationStatistics
{
    private static readonly JsonSerializerOptions s_options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        PreferredObjectCreationHandling = JsonObjectCreationHandling.Populate,
    };

    /// <summary>Parts merged.</summary>
    public int Parts { get; set; }

    /// <summary>Documents read.</summary>
    public Volume Read { get; set; } = new();

    /// <summary>Input left out, by reason: count and first place.</summary>
    public SortedDictionary<string, SkippedItems> Skipped { get; set; } = new(StringComparer.Ordinal);

    /// <summary>Input repaired, by kind.</summary>
    public SortedDictionary<string, SkippedItems> Repaired { get; set; } = new(StringComparer.Ordinal);

    /// <summary>Every stage in order.</summary>
    public List<StageStatistics> Stages { get; set; } = [];

    /// <summary>What was written.</summary>
    public Volume Written { get; set; } = new();

    /// <summary>Written documents by <c>language</c>.</summary>
    public ValueCounts Languages { get; set; } = new();

    /// <summary>Written documents by host of <c>url</c>.</summary>
    public ValueCounts Domains { get; set; } = new();

    /// <summary>Clusters of duplicates, a random sample with its members.</summary>
    public ClusterSample Clusters { get; set; } = new();

    /// <summary>As JSON text.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, s_options);

    /// <summary>From <see cref="ToJson"/>.</summary>
    /// <exception cref="InvalidDataException">It is no such text.</exception>
    public static CurationStatistics FromJson(string json)
    {
        try
        {
            return JsonSerializer.Deserialize<CurationStatistics>(json, s_options)
                ?? throw new InvalidDataException("The statistics are empty.");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"The statistics cannot be read: {e.Message}", e);
        }
    }

    internal JsonNode ToNode() => JsonSerializer.SerializeToNode(this, s_options)!;

    internal void Merge(CurationStatistics other)
    {
        Parts += other.Parts;
        Read.Merge(other.Read);
        Written.Merge(other.Written);
        foreach (var (reason, items) in other.Skipped)
            StageStatistics.Of(Skipped, reason).Merge(items);
        foreach (var (reason, items) in other.Repaired)
            StageStatistics.Of(Repaired, reason).Merge(items);
        while (Stages.Count < other.Stages.Count)
            Stages.Add(new());
        for (var i = 0; i < other.Stages.Count; i++)
            if (other.Stages[i].Name.Length > 0)
                Stages[i].Merge(other.Stages[i]);
        Languages.Merge(other.Languages);
        Domains.Merge(other.Domains);
        Clusters.Merge(other.Clusters);
    }
}

/// <summary>Input items of one kind.</summary>
public sealed class SkippedItems
{
    /// <summary>How many.</summary>
    public long Count { get; set; }

    /// <summary>Where the first was.</summary>
    public string FirstExample { get; set; } = "";

    internal void Merge(SkippedItems other)
    {
        if (Count == 0)
            FirstExample = other.FirstExample;
        Count += other.Count;
    }
}

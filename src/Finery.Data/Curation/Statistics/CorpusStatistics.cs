using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Finery.Data.Filters;
using Finery.Data.Filters.Urls;

namespace Finery.Data.Curation.Statistics;

/// <summary>
/// Statistics of documents: each measured value summed up over all of them, over those with the same value (a histogram), and
/// by host and public suffix of the address. One for each part of a corpus; <see cref="Merge"/> gives that of the whole,
/// whatever the parts were. Used by one thread.
/// </summary>
public sealed class CorpusStatistics
{
    // By group; statistic to key to value.
    private readonly SortedDictionary<string, Dictionary<string, RunningMoments>>[] _groups =
        [new(StringComparer.Ordinal), new(StringComparer.Ordinal), new(StringComparer.Ordinal), new(StringComparer.Ordinal)];

    private const ulong Magic = 0x3154415453594E46; // "FNYSTAT1"

    // A value with its key in a dictionary takes about this much.
    private const int BytesPerValue = 256;

    private readonly Dictionary<(double, bool), string> _keys = [];
    private readonly int _maxHeld;
    private readonly StatisticKinds _kinds;
    private readonly int _roundDigits;
    private readonly int _maxKeys;

    /// <param name="kinds">What is measured.</param>
    /// <param name="roundDigits">Decimal places by which values of a histogram are equal.</param>
    /// <param name="maxKeys">Hosts and suffixes written, those with most documents first. While counting, up to four times as
    /// many are held; beyond, the rarest are forgotten, so that what is told of rare ones is then a lower bound.</param>
    /// <param name="memoryBytes">Memory that may be taken, about: fewer are held if need be.</param>
    public CorpusStatistics(StatisticKinds kinds = StatisticKinds.All, int roundDigits = 3, int maxKeys = 100_000,
        long memoryBytes = long.MaxValue)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(roundDigits);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxKeys, 1);
        (_kinds, _roundDigits, _maxKeys) = (kinds, roundDigits, maxKeys);
        // Some forty statistics by host and by suffix.
        _maxHeld = (int)Math.Clamp(memoryBytes / (80L * BytesPerValue), 2, Math.Min(4L * maxKeys, int.MaxValue));
    }

    private enum StatisticGroup
    {
        Summary,
        Histogram,
        Fqdn,
        Suffix,
    }

    /// <summary>Documents taken in.</summary>
    public long Documents { get; private set; }

    /// <summary>Takes in a document.</summary>
    public void Add(WorkingDocument document)
    {
        Documents++;
        var address = document.GetMetadata("url") is { Length: > 0 } url
            ? WebAddress.Parse(url, PublicSuffixes.Bundled) : default;
        var length = CharacterSets.Length(document.Text);
        var tokens = MetadataFilter.NumberOf(document.Document.Metadata["token_count"]);
        StatisticModules.Measure(document, _kinds, (name, value) => Add(name, value, address, length, tokens));
        Limit();
    }

    /// <summary>Takes in one value as a document of its own would have it.</summary>
    internal void Add(string name, double value, WebAddress address, int length, double? tokens)
    {
        Moments(StatisticGroup.Summary, name, "summary").Add(value);
        var isCount = name is "length" or "token_count" || name.StartsWith("n_", StringComparison.Ordinal);
        var key = KeyOf(value, isCount);
        Moments(StatisticGroup.Histogram, name, key).Add(1);
        Moments(StatisticGroup.Histogram, name + "__chars", key).Add(length);
        if (tokens is { } count)
            Moments(StatisticGroup.Histogram, name + "__tokens", key).Add(count);
        if (address.Host is { Length: > 0 })
            Moments(StatisticGroup.Fqdn, name, address.Host).Add(value);
        if (address.Suffix is { Length: > 0 })
            Moments(StatisticGroup.Suffix, name, address.Suffix).Add(value);
    }

    /// <summary>Takes in what another took in.</summary>
    public void Merge(CorpusStatistics other)
    {
        Documents += other.Documents;
        foreach (var group in Enum.GetValues<StatisticGroup>())
            foreach (var (name, values) in other._groups[(int)group])
                foreach (var (key, moments) in values)
                    Moments(group, name, key).Merge(moments);
        Limit();
    }

    /// <summary>The value of a group, statistic and key; null if there is none. Groups are summary, histogram, fqdn and
    /// suffix.</summary>
    public RunningMoments? Find(string group, string name, string key) =>
        Enum.TryParse<StatisticGroup>(group, ignoreCase: true, out var which)
        && _groups[(int)which].TryGetValue(name, out var values) && values.TryGetValue(key, out var moments) ? moments : null;

    /// <summary>Group, statistic, key and value in datatrove's form; keys in ordinal order, of hosts and suffixes the most
    /// frequent.</summary>
    public JsonObject ToJson()
    {
        var json = new JsonObject();
        foreach (var group in Enum.GetValues<StatisticGroup>())
        {
            var statistics = new JsonObject();
            foreach (var (name, values) in _groups[(int)group])
            {
                var entries = new JsonObject();
                foreach (var (key, moments) in Kept(group, values))
                    entries[key] = moments.ToJson();
                statistics[name] = entries;
            }
            json[group.ToString().ToLowerInvariant()] = statistics;
        }
        return json;
    }

    /// <summary>Writes everything, to be merged later: the same bytes for the same documents in the same order.</summary>
    public void Save(Stream stream)
    {
        using var writer = new BinaryWriter(stream, Encoding.UTF8, leaveOpen: true);
        writer.Write(Magic);
        writer.Write(Documents);
        foreach (var group in _groups)
        {
            writer.Write(group.Count);
            foreach (var (name, values) in group)
            {
                writer.Write(name);
                writer.Write(values.Count);
                foreach (var (key, moments) in values.OrderBy(e => e.Key, StringComparer.Ordinal))
                {
                    writer.Write(key);
                    moments.Write(writer);
                }
            }
        }
    }

    /// <summary>Takes in what <see cref="Save"/> of another wrote.</summary>
    /// <exception cref="InvalidDataException">It is no such state, or cut short.</exception>
    public void MergeSaved(Stream stream)
    {
        using var reader = new BinaryReader(stream, Encoding.UTF8, leaveOpen: true);
        try
        {
            if (reader.ReadUInt64() != Magic)
                throw new InvalidDataException("This is no state of corpus statistics.");
            Documents += reader.ReadInt64();
            for (var group = StatisticGroup.Summary; group <= StatisticGroup.Suffix; group++)
                for (var names = reader.ReadInt32(); names > 0; names--)
                {
                    var name = reader.ReadString();
                    for (var keys = reader.ReadInt32(); keys > 0; keys--)
                    {
                        var key = reader.ReadString();
                        Moments(group, name, key).Merge(RunningMoments.Read(reader));
                    }
                }
        }
        catch (Exception e) when (e is EndOfStreamException or FormatException)
        {
            throw new InvalidDataException("The state of corpus statistics is cut short or damaged.", e);
        }
        Limit();
    }

    // Away from a tie the quick rounding is right, and the same few rounded values come again and again.
    private string KeyOf(double value, bool isCount)
    {
        var fraction = Math.Abs(value * Math.Pow(10, _roundDigits) % 1);
        if (Math.Abs(fraction - 0.5) < 1e-6)
            return HistogramKey(value, _roundDigits, isCount);
        var rounded = isCount ? value : Math.Round(value, Math.Min(_roundDigits, 15));
        if (_keys.TryGetValue((rounded, isCount), out var key))
            return key;
        if (_keys.Count > 1 << 16)
            _keys.Clear();
        return _keys[(rounded, isCount)] = HistogramKey(rounded, _roundDigits, isCount);
    }

    /// <summary>As Python prints a rounded number: ties of the exact value to the even neighbour, and <c>.0</c> unless it is a
    /// count.</summary>
    internal static string HistogramKey(double value, int digits, bool isCount)
    {
        if (isCount && value == Math.Floor(value))
            return value.ToString("F0", CultureInfo.InvariantCulture);
        // Only a multiple of 2^-(digits+1) can lie exactly between two neighbours.
        var isTie = Math.Abs(value) < 1L << 40 && Math.ScaleB(value, digits + 1) is var scaled && scaled == Math.Floor(scaled);
        var rounded = isTie ? Math.Round((decimal)value, digits, MidpointRounding.ToEven).ToString(CultureInfo.InvariantCulture)
            : value.ToString("F" + digits, CultureInfo.InvariantCulture);
        var text = double.Parse(rounded, CultureInfo.InvariantCulture).ToString("R", CultureInfo.InvariantCulture);
        return text.AsSpan().IndexOfAny('.', 'E') < 0 ? text + ".0" : text;
    }

    private RunningMoments Moments(StatisticGroup group, string name, string key)
    {
        if (!_groups[(int)group].TryGetValue(name, out var values))
            _groups[(int)group][name] = values = new(StringComparer.Ordinal);
        if (!values.TryGetValue(key, out var moments))
            values[key] = moments = new();
        return moments;
    }

    private IEnumerable<KeyValuePair<string, RunningMoments>> Kept(
        StatisticGroup group, Dictionary<string, RunningMoments> values) =>
        (group is StatisticGroup.Summary or StatisticGroup.Histogram ? values : MostFrequent(values, _maxKeys))
            .OrderBy(e => e.Key, StringComparer.Ordinal);

    private void Limit()
    {
        for (var group = StatisticGroup.Fqdn; group <= StatisticGroup.Suffix; group++)
            foreach (var values in _groups[(int)group].Values)
                if (values.Count > _maxHeld)
                    foreach (var (key, _) in values.Except(MostFrequent(values, _maxHeld / 2)).ToList())
                        values.Remove(key);
    }

    private static IEnumerable<KeyValuePair<string, RunningMoments>> MostFrequent(
        Dictionary<string, RunningMoments> values, int count) =>
        values.OrderByDescending(e => e.Value.Count).ThenBy(e => e.Key, StringComparer.Ordinal).Take(count);
}

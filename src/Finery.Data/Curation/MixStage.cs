using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Finery.Data.Filters;
using Finery.Data.Writers;

namespace Finery.Data.Curation;

/// <summary>In what a mixture is measured.</summary>
public enum MixUnit
{
    /// <summary><c>token_count</c> of the metadata.</summary>
    Tokens,

    /// <summary>Bytes of the text as UTF-8.</summary>
    Bytes,
}

/// <summary>How much of a mixture is of one domain.</summary>
/// <param name="Domain">Value of the metadata key.</param>
/// <param name="Share">From 0 to 1.</param>
public sealed record MixShare(string Domain, double Share)
{
    /// <summary>For binding by property.</summary>
    public MixShare()
        : this("", 0)
    {
    }
}

/// <summary>
/// Mixes domains by share: leaves documents out or repeats them, so that the whole has about the total asked for and each
/// domain its share of it. Which documents follows from the seed and their ids alone. Documents of domains not listed are left
/// out.
/// </summary>
/// <remarks>Phase <c>count</c> measures each part, phase <c>plan</c> writes <c>plan.json</c>: what each domain has, is to have
/// and gets.</remarks>
public sealed record MixStage : CorpusStage
{
    /// <summary>The shares; they sum to 1. The default is Llama 3's mixture (2407.21783).</summary>
    public IReadOnlyList<MixShare> Shares { get; init; } =
        [new("general", 0.5), new("math", 0.25), new("code", 0.17), new("multilingual", 0.08)];

    /// <summary>Metadata key of the domain.</summary>
    public string Key { get; init; } = "domain";

    /// <summary>In what the total is measured.</summary>
    public MixUnit Unit { get; init; }

    /// <summary>How much the whole is to have; 0 for as much as there is without repeating anything.</summary>
    public long Total { get; init; }

    /// <summary>Factor on every domain's amount: 1.05 makes it likely that none falls short.</summary>
    public double Margin { get; init; } = 1;

    /// <summary>Most times a document may occur. Up to about four epochs are nearly as good as new text (Muennighoff
    /// 2023).</summary>
    public double MaxRepeats { get; init; } = 4;

    /// <summary>Another seed, another choice.</summary>
    public ulong Seed { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<Phase> Phases(Corpus corpus, string folder)
    {
        yield return new("count", corpus.Parts, (part, context) => Count(corpus, folder, part, context));
        yield return new("plan", 1, (_, _) => Plan(corpus, folder));
    }

    /// <inheritdoc/>
    public override PartStage Open(Corpus corpus, string folder, int part)
    {
        using var plan = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "plan.json")));
        var rates = new Dictionary<string, double>(StringComparer.Ordinal);
        foreach (var domain in plan.RootElement.GetProperty("domains").EnumerateObject())
            rates[domain.Name] = domain.Value.GetProperty("copies").GetDouble();
        return new MixPart(this, rates);
    }

    /// <summary>Settings that cannot work.</summary>
    public IEnumerable<(string Property, string Message)> Validate()
    {
        if (Shares.Any(s => !(s.Share > 0)) || Math.Abs(Shares.Sum(s => s.Share) - 1) > 1e-6)
            yield return (nameof(Shares), $"Shares must be positive and sum to 1, not {Shares.Sum(s => s.Share)}.");
        if (Shares.Select(s => s.Domain).Distinct(StringComparer.Ordinal).Count() != Shares.Count)
            yield return (nameof(Shares), "A domain has two shares.");
        if (!(MaxRepeats > 0) || !(Margin > 0) || Total < 0)
            yield return (nameof(MaxRepeats), "max_repeats and margin must be positive, total not negative.");
    }

    private string? DomainOf(Document document) =>
        document.Metadata[Key] is JsonValue value ? MetadataFilter.TextOf(value) : null;

    private void Count(Corpus corpus, string folder, int part, TaskContext context)
    {
        var amounts = new SortedDictionary<string, long>(StringComparer.Ordinal);
        foreach (var document in corpus.Read(part))
        {
            context.Stop.ThrowIfCancellationRequested();
            if (DomainOf(document) is not { } domain)
                continue;
            amounts.TryGetValue(domain, out var amount);
            amounts[domain] = amount + AmountOf(document);
        }
        AtomicFile.WriteText(CountPath(folder, part), new JsonObject(
            amounts.Select(a => KeyValuePair.Create(a.Key, (JsonNode?)JsonValue.Create(a.Value)))).ToJsonString());
    }

    private long AmountOf(Document document)
    {
        if (Unit == MixUnit.Bytes)
            return Encoding.UTF8.GetByteCount(document.Text);
        return (long)(MetadataFilter.NumberOf(document.Metadata["token_count"]) ?? throw new InvalidDataException(
            $"Document '{document.Id}' has no token_count: count tokens before mixing, or mix by bytes."));
    }

    private void Plan(Corpus corpus, string folder)
    {
        var available = new SortedDictionary<string, long>(StringComparer.Ordinal);
        for (var part = 0; part < corpus.Parts; part++)
        {
            using var counts = JsonDocument.Parse(File.ReadAllBytes(CountPath(folder, part)));
            foreach (var domain in counts.RootElement.EnumerateObject())
                available[domain.Name] = available.GetValueOrDefault(domain.Name) + domain.Value.GetInt64();
        }
        if (Shares.FirstOrDefault(s => available.GetValueOrDefault(s.Domain) == 0) is { } empty)
            throw new InvalidDataException($"No document has '{Key}: {empty.Domain}'; found: "
                + (available.Count == 0 ? "none" : string.Join(", ", available.Keys)) + ".");
        var total = Total > 0 ? Total : Shares.Min(s => available[s.Domain] / s.Share);
        var domains = new JsonObject();
        foreach (var (domain, share) in Shares)
        {
            var target = total * share * Margin;
            var copies = Math.Min(MaxRepeats, target / available[domain]);
            domains[domain] = new JsonObject
            {
                ["share"] = share, ["available"] = available[domain], ["target"] = target, ["copies"] = copies,
                ["expected"] = copies * available[domain],
            };
        }
        AtomicFile.WriteText(Path.Combine(folder, "plan.json"), new JsonObject
        {
            ["unit"] = Unit.ToString().ToLowerInvariant(), ["total"] = total, ["domains"] = domains,
            ["left_out"] = new JsonObject(available.Where(a => Shares.All(s => s.Domain != a.Key))
                .Select(a => KeyValuePair.Create(a.Key, (JsonNode?)JsonValue.Create(a.Value)))),
        }.ToJsonString());
    }

    private static string CountPath(string folder, int part) => Path.Combine(folder, $"count-{part:D5}.json");

    private sealed class MixPart(MixStage settings, Dictionary<string, double> rates) : PartStage
    {
        public override void Apply(WorkingDocument document, long index)
        {
            var rate = settings.DomainOf(document.Document) is { } domain ? rates.GetValueOrDefault(domain) : 0;
            var whole = (int)Math.Floor(rate);
            var extra = SamplerFilter.Uniform(settings.Seed, document.Document.Id) < rate - whole ? 1 : 0;
            document.Copies *= whole + extra;
        }
    }
}

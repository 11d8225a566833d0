using System.Text.Json;
using System.Text.Json.Nodes;
using Finery.Data.Filters;

namespace Finery.Data.Deduplication;

/// <summary>
/// Documents that others must not resemble, such as a held-out set: training documents that nearly equal one of them are
/// dropped, so that what is measured on the set was not seen in training. Filled by one thread, then safe for any number.
/// </summary>
public sealed class NearDuplicateIndex
{
    private readonly MinHashDeduplication _settings;
    private readonly MinHasher _hasher;
    private readonly IReadOnlyList<string> _metadataKeys;
    private readonly Dictionary<UInt128, string> _equal = [];
    private readonly Dictionary<UInt128, List<(string Id, ulong[] Shingles)>> _near = [];

    /// <param name="settings">Of the signatures; <see cref="MinHashDeduplication.VerifiedJaccard"/> applies.</param>
    /// <param name="metadataKeys">Metadata texts whose equality alone makes documents alike; null for <c>summary</c>.</param>
    public NearDuplicateIndex(MinHashDeduplication settings, IReadOnlyList<string>? metadataKeys = null)
    {
        _settings = settings;
        _hasher = settings.CreateHasher();
        _metadataKeys = metadataKeys ?? ["summary"];
    }

    /// <summary>Documents added.</summary>
    public int Count { get; private set; }

    /// <summary>Adds a document that others must not resemble.</summary>
    public void Add(Document document)
    {
        Count++;
        foreach (var key in EqualityKeys(document))
            _equal.TryAdd(key, document.Id);
        var shingles = _hasher.Shingles(document.Text);
        var distinct = MinHashDeduplication.Distinct(shingles);
        foreach (var key in _settings.KeysOf(_hasher, shingles))
        {
            if (!_near.TryGetValue(key, out var known))
                _near[key] = known = [];
            known.Add((document.Id, distinct));
        }
    }

    /// <summary>The id of an added document that this one nearly equals: by simplified text, by simplified metadata text, or by
    /// MinHash; null if there is none.</summary>
    public string? Match(Document document)
    {
        foreach (var key in EqualityKeys(document))
            if (_equal.TryGetValue(key, out var id))
                return id;
        var shingles = _hasher.Shingles(document.Text);
        var distinct = _settings.VerifiedJaccard > 0 ? MinHashDeduplication.Distinct(shingles) : [];
        foreach (var key in _settings.KeysOf(_hasher, shingles))
            foreach (var (id, known) in _near.GetValueOrDefault(key, []))
                if (_settings.VerifiedJaccard <= 0 || MinHashDeduplication.Jaccard(known, distinct) >= _settings.VerifiedJaccard)
                    return id;
        return null;
    }

    /// <summary>Marks what resembles an added document: reason <c>near_heldout</c>, metadata <c>duplicate_of</c>.</summary>
    /// <inheritdoc cref="FilterPipeline.Run"/>
    public IEnumerable<(Document Document, string? Reason)> Run(
        IEnumerable<Document> documents, int threads, FilterReport? report = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        foreach (var (document, match) in OrderedParallel.Map(documents, Match, threads, 256, 1 << 20, d => d.Text.Length))
        {
            var reason = match is null ? null : "near_heldout";
            report?.Count(document, reason);
            yield return (match is null ? document : DuplicateClusters.With(document, null, 0, match), reason);
        }
    }

    private IEnumerable<UInt128> EqualityKeys(Document document)
    {
        yield return KeyOf("text", document.Text);
        foreach (var name in _metadataKeys)
            if (document.Metadata[name] is JsonValue value && value.GetValueKind() == JsonValueKind.String
                && value.GetValue<string>() is { Length: > 0 } text)
                yield return KeyOf(name, text);
    }

    // The name is part of the key: a text that equals another's summary is no copy of it.
    private static UInt128 KeyOf(string name, string text) => ExactDeduplication.HashOf($"{name}\n{SimplifiedText.Of(text)}");
}

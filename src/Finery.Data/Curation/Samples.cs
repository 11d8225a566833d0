using System.Text;
using Finery.Data.Deduplication;

namespace Finery.Data.Curation;

/// <summary>A document as a report shows it.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Url">Its address, if it has one.</param>
/// <param name="Text">The beginning of its text.</param>
public sealed record Example(string Id, string? Url, string Text)
{
    private const int MaxCharacters = 600;

    internal static Example Of(Document document)
    {
        var text = document.Text;
        var length = Math.Min(text.Length, MaxCharacters);
        if (length < text.Length && char.IsHighSurrogate(text[length - 1]))
            length--;
        var url = document.Metadata["url"] is System.Text.Json.Nodes.JsonValue value && value.TryGetValue(out string? address)
            ? address : null;
        return new(document.Id, url, length < text.Length ? text[..length] + " ..." : text);
    }

    /// <summary>A random number that is the same wherever and whenever the document is met.</summary>
    internal static ulong Ticket(string id) => XxHash64.Hash(Encoding.UTF8.GetBytes(id), seed: 0x5A3F1E);
}

/// <summary>A random sample of documents: those with the least hash of their id, so it depends neither on order nor on
/// parts.</summary>
public sealed class ExampleSample
{
    private const int Size = 4;

    // Almost every document is turned away by this; it starts anew when a sample is read back, which changes nothing.
    private ulong _greatest = ulong.MaxValue;

    /// <summary>By hash.</summary>
    public SortedDictionary<ulong, Example> Documents { get; set; } = [];

    /// <param name="ticket"><see cref="Example.Ticket"/> of the document.</param>
    /// <param name="document">The document.</param>
    internal void Add(ulong ticket, Document document)
    {
        if (ticket > _greatest)
            return;
        Documents.TryAdd(ticket, Example.Of(document));
        Trim();
    }

    internal void Merge(ExampleSample other)
    {
        foreach (var (ticket, example) in other.Documents)
            Documents.TryAdd(ticket, example);
        Trim();
    }

    private void Trim()
    {
        while (Documents.Count > Size)
            Documents.Remove(Documents.Last().Key);
        if (Documents.Count == Size)
            _greatest = Documents.Last().Key;
    }
}

/// <summary>Clusters of duplicates with some of their members: those with the least hash of the id of the document
/// kept.</summary>
public sealed class ClusterSample
{
    private const int Size = 8, MembersPerCluster = 4;

    /// <summary>By hash of the id of the document kept; the first example is that document where it was met.</summary>
    public SortedDictionary<ulong, List<Example>> Clusters { get; set; } = [];

    /// <summary>Adds a document that is kept for others or dropped for one.</summary>
    internal void Add(Document document, string keptId)
    {
        var ticket = Example.Ticket(keptId);
        if (Clusters.Count == Size && ticket > Clusters.Last().Key)
            return;
        Add(ticket, Example.Of(document), document.Id == keptId);
        Trim();
    }

    internal void Merge(ClusterSample other)
    {
        foreach (var (ticket, members) in other.Clusters)
            foreach (var member in members)
                Add(ticket, member, Example.Ticket(member.Id) == ticket);
        Trim();
    }

    private void Add(ulong ticket, Example example, bool isKept)
    {
        if (!Clusters.TryGetValue(ticket, out var members))
            Clusters[ticket] = members = [];
        members.RemoveAll(member => member.Id == example.Id);
        members.Insert(isKept ? 0 : members.Count, example);
        if (members.Count > MembersPerCluster)
            members.RemoveAt(MembersPerCluster);
    }

    private void Trim()
    {
        while (Clusters.Count > Size)
            Clusters.Remove(Clusters.Last().Key);
    }
}

/// <summary>How often values occur, in bounded memory: once there are too many distinct ones, the rarest are dropped and counted
/// together.</summary>
public sealed class ValueCounts
{
    private const int MaxValues = 20_000;

    /// <summary>Counts by value.</summary>
    public SortedDictionary<string, long> Values { get; set; } = new(StringComparer.Ordinal);

    /// <summary>Occurrences of values that were dropped.</summary>
    public long Others { get; set; }

    internal void Add(string value, long count = 1)
    {
        Values[value] = Values.GetValueOrDefault(value) + count;
        if (Values.Count <= MaxValues)
            return;
        foreach (var (rare, times) in Values.OrderBy(pair => pair.Value)
            .ThenBy(pair => pair.Key, StringComparer.Ordinal).Take(MaxValues / 2).ToList())
        {
            Others += times;
            Values.Remove(rare);
        }
    }

    internal void Merge(ValueCounts other)
    {
        Others += other.Others;
        foreach (var (value, count) in other.Values)
            Add(value, count);
    }
}

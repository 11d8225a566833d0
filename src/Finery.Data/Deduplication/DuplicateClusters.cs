using System.Text;
using System.Text.Json.Nodes;

namespace Finery.Data.Deduplication;

/// <summary>
/// Which documents, by position in the corpus, are copies of which: a union-find whose root is always the first of its cluster.
/// </summary>
internal sealed class DuplicateClusters
{
    private readonly List<int> _parent = [];
    private int[] _sizes = [];
    private ulong _idHash;

    public int Count => _parent.Count;

    /// <summary>Adds the next document, alone in its cluster.</summary>
    public int Add(Document document)
    {
        _idHash = Fold(_idHash, document);
        _parent.Add(_parent.Count);
        return _parent.Count - 1;
    }

    /// <summary>The first document of the cluster.</summary>
    public int Root(int document)
    {
        while (_parent[document] != document)
            document = _parent[document] = _parent[_parent[document]];
        return document;
    }

    public void Union(int a, int b)
    {
        (a, b) = (Root(a), Root(b));
        _parent[Math.Max(a, b)] = Math.Min(a, b);
    }

    /// <summary>Joins the documents of equal keys.</summary>
    public void UnionEqual(IEnumerable<DocumentKey> sorted)
    {
        DocumentKey first = new(0, 0, -1);
        foreach (var key in sorted)
        {
            if (first.Document >= 0 && first.HasKeyOf(key))
                Union(first.Document, key.Document);
            else
                first = key;
        }
    }

    /// <summary>Makes every document its own cluster again.</summary>
    public void Reset()
    {
        for (var i = 0; i < _parent.Count; i++)
            _parent[i] = i;
    }

    /// <summary>Number of documents in each cluster, at the root's position.</summary>
    public int[] CountSizes()
    {
        _sizes = new int[_parent.Count];
        for (var i = 0; i < _parent.Count; i++)
            _sizes[Root(i)]++;
        return _sizes;
    }

    /// <summary>
    /// Goes through the corpus a second time and says for each document whether it stays. Copies get <c>duplicate_of</c>, the id
    /// of the one kept; all members of a cluster get its size under <paramref name="sizeKey"/>.
    /// </summary>
    /// <exception cref="InvalidOperationException">The second enumeration differs from the first.</exception>
    public IEnumerable<(Document Document, string? Reason)> Apply(IEnumerable<Document> documents, string reason, string sizeKey)
    {
        CountSizes();
        var keptIds = new Dictionary<int, string>();
        var index = 0;
        ulong idHash = 0;
        foreach (var document in documents)
        {
            if (index == _parent.Count)
                throw Changed();
            idHash = Fold(idHash, document);
            var root = Root(index);
            if (_sizes[root] == 1)
                yield return (document, null);
            else if (root == index)
            {
                keptIds[index] = document.Id;
                yield return (With(document, sizeKey, _sizes[root], null), null);
            }
            else
                yield return (With(document, sizeKey, _sizes[root], keptIds[root]), reason);
            index++;
        }
        if (index != _parent.Count || idHash != _idHash)
            throw Changed();
    }

    /// <summary>A copy with further metadata; the document itself may belong to someone else.</summary>
    internal static Document With(Document document, string? sizeKey, int size, string? duplicateOf)
    {
        var metadata = (JsonObject)document.Metadata.DeepClone();
        if (sizeKey is not null)
            metadata[sizeKey] = size;
        if (duplicateOf is not null)
            metadata["duplicate_of"] = duplicateOf;
        return document with { Metadata = metadata };
    }

    private static ulong Fold(ulong hash, Document document) => XxHash64.Hash(Encoding.UTF8.GetBytes(document.Id), hash);

    private static InvalidOperationException Changed() => new(
        "The documents changed between the two passes of deduplication. Its input must give the same documents in the same order "
        + "each time it is enumerated.");
}

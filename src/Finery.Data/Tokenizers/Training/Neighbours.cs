using System.Runtime.InteropServices;

namespace Finery.Data.Tokenizers;

/// <summary>What stands on one side of the pair being merged: for each id how often, and in which words.</summary>
internal sealed class Neighbours
{
    private readonly List<int> _ids = [];
    private readonly List<(int Id, int Word)> _words = [];
    private Neighbour[] _byId = [];

    /// <summary>The ids noted, in order of first sight.</summary>
    public ReadOnlySpan<int> Ids => CollectionsMarshal.AsSpan(_ids);

    public ref Neighbour this[int id] => ref _byId[id];

    /// <summary>Makes room for ids below <paramref name="count"/>.</summary>
    public void Reserve(int count)
    {
        if (count > _byId.Length) Array.Resize(ref _byId, Math.Max(count, 2 * _byId.Length));
    }

    /// <summary>Notes an id beside the pair; words come one after the other, each at most once.</summary>
    public void Add(int id, long count, int word)
    {
        ref Neighbour neighbour = ref _byId[id];
        neighbour.Count += count;
        if (neighbour.Words > 0 && neighbour.LastWord == word) return;
        if (neighbour.Words++ == 0) _ids.Add(id);
        neighbour.LastWord = word;
        _words.Add((id, word));
    }

    /// <summary>Writes the words of each id where its <see cref="Neighbour.Page"/> says.</summary>
    public void FillLists()
    {
        if (_words.Count == _ids.Count) // one word each, which needs no list, unless it joins an older one
        {
            foreach (int id in _ids)
            {
                ref Neighbour neighbour = ref _byId[id];
                if (neighbour.Page is { } page) page[neighbour.Offset] = neighbour.LastWord;
            }
            return;
        }
        foreach (var (id, word) in CollectionsMarshal.AsSpan(_words))
        {
            ref Neighbour neighbour = ref _byId[id];
            if (neighbour.Page is { } page) page[neighbour.Offset++] = word;
        }
    }

    public void Clear()
    {
        foreach (int id in _ids) _byId[id] = default;
        _ids.Clear();
        _words.Clear();
    }

    internal struct Neighbour
    {
        public long Count;
        public int Words, LastWord;
        public int Offset;
        public int[]? Page; // where to write the words; null for none
    }
}

using System.Runtime.CompilerServices;

namespace Finery.Data.Classifiers;

/// <summary>A growing list of row numbers whose array is reused and handed out.</summary>
internal sealed class RowList
{
    private int[] _items = new int[256];

    public int Count { get; private set; }

    public ReadOnlySpan<int> Span => _items.AsSpan(0, Count);

    public void Clear() => Count = 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(int row)
    {
        if ((uint)Count >= (uint)_items.Length)
            Array.Resize(ref _items, checked(_items.Length * 2));
        _items[Count++] = row;
    }

    public void AddRange(ReadOnlySpan<int> rows)
    {
        if (rows.Length > _items.Length - Count)
            Array.Resize(ref _items, (int)Math.Min(Array.MaxLength, Math.Max(_items.Length * 2L, (long)Count + rows.Length)));
        rows.CopyTo(_items.AsSpan(Count));
        Count += rows.Length;
    }
}

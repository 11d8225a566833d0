namespace Finery.Data.Tokenizers.Jinja;

// A value is null (None), bool, long, double, BigInteger (from JSON: printed and compared only), string, or one of these. All
// but Namespace and Stream are immutable. Containers know their depth, which is bounded when they are made, so that whatever
// walks them recursively is bounded too.

/// <summary>What a missing name, key or attribute gives: false, empty, and an error when used for more.</summary>
internal sealed class Undefined(string name, object? owner = null, bool hasOwner = false, string? problem = null)
{
    public string Problem => problem ?? (hasOwner ? $"'{Kinds.NameOf(owner)} object' has no attribute '{name}'" : $"'{name}' is undefined");

    public TemplateError Error() => new(Problem + ".");
}

/// <summary>Text that <c>safe</c> marked: text added to it is escaped for HTML, as in Jinja even without autoescape.</summary>
internal sealed record Markup(string Text)
{
    public static string Escape(string text) => text.Replace("&", "&amp;", StringComparison.Ordinal)
        .Replace(">", "&gt;", StringComparison.Ordinal).Replace("<", "&lt;", StringComparison.Ordinal)
        .Replace("'", "&#39;", StringComparison.Ordinal).Replace("\"", "&#34;", StringComparison.Ordinal);
}

internal enum SequenceKind { List, Tuple, Range, View }

/// <summary>A list, tuple, range, or view of a mapping's keys, values or items.</summary>
internal sealed class Sequence
{
    public const int MaxDepth = 100;

    public static readonly Sequence Empty = new([]);

    public Sequence(object?[] items, SequenceKind kind = SequenceKind.List)
    {
        (Items, Kind) = (items, kind);
        if (kind != SequenceKind.Range) Depth = Nested(items);
    }

    public object?[] Items { get; }

    public SequenceKind Kind { get; }

    public int Depth { get; } = 1;

    /// <summary>One more than the deepest of <paramref name="items"/>.</summary>
    public static int Nested(ReadOnlySpan<object?> items)
    {
        int depth = 0;
        foreach (object? item in items)
        {
            int inner = item switch { Sequence list => list.Depth, Mapping map => map.Depth, _ => 0 };
            if (inner > depth) depth = inner;
        }
        return depth < MaxDepth ? depth + 1
            : throw new TemplateError($"lists and mappings are nested more than {MaxDepth} deep.");
    }
}

/// <summary>An iterator such as <c>map</c> and <c>select</c> return: true in itself, without a length, and used up once
/// read.</summary>
internal sealed class Stream(object?[] items)
{
    private int _taken;

    public object?[] Take()
    {
        object?[] rest = items[_taken..];
        _taken = items.Length;
        return rest;
    }

    /// <summary>The next item, leaving the rest.</summary>
    public bool TryNext(out object? item)
    {
        item = _taken < items.Length ? items[_taken] : null;
        return _taken < items.Length && ++_taken > 0;
    }
}

/// <summary>A dictionary in order of insertion. Equal keys are one key, as 1, 1.0 and True are.</summary>
internal sealed class Mapping
{
    private const int IndexedFrom = 9;

    private readonly Dictionary<object, int>? _index;

    /// <summary>Of distinct keys.</summary>
    private Mapping(object?[] keys, object?[] values, Dictionary<object, int>? index)
    {
        (Keys, Values, _index) = (keys, values, index);
        Depth = Sequence.Nested(values);
    }

    public object?[] Keys { get; }

    public object?[] Values { get; }

    public int Count => Keys.Length;

    public int Depth { get; }

    /// <summary>Pairs in order; a later one replaces the value of an equal key.</summary>
    public static Mapping Of(IReadOnlyList<object?> keys, IReadOnlyList<object?> values)
    {
        var index = new Dictionary<object, int>(keys.Count, KeyComparer.Instance);
        var distinct = new List<object?>(keys.Count);
        var last = new List<object?>(keys.Count);
        for (int i = 0; i < keys.Count; i++)
        {
            if (index.TryAdd(KeyComparer.Boxed(keys[i]), distinct.Count))
            {
                distinct.Add(keys[i]);
                last.Add(values[i]);
            }
            else
            {
                last[index[KeyComparer.Boxed(keys[i])]] = values[i];
            }
        }
        return new([.. distinct], [.. last], distinct.Count < IndexedFrom ? null : index);
    }

    /// <summary>Of distinct text keys: what JSON has.</summary>
    public static Mapping OfDistinct(object?[] keys, object?[] values)
    {
        if (keys.Length < IndexedFrom) return new(keys, values, null);
        var index = new Dictionary<object, int>(keys.Length, KeyComparer.Instance);
        for (int i = 0; i < keys.Length; i++) index.Add(keys[i]!, i);
        return new(keys, values, index);
    }

    public bool TryGet(object? key, out object? value)
    {
        int at = Find(key);
        value = at >= 0 ? Values[at] : null;
        return at >= 0;
    }

    private int Find(object? key)
    {
        if (_index is not null) return _index.TryGetValue(KeyComparer.Boxed(key), out int at) ? at : -1;
        for (int i = 0; i < Keys.Length; i++)
        {
            if (KeyComparer.Instance.Equals(Keys[i], key)) return i;
        }
        return -1;
    }
}

/// <summary>What <c>namespace()</c> makes: the one thing a template can change.</summary>
internal sealed class Namespace
{
    public Dictionary<string, object?> Fields { get; } = new(StringComparer.Ordinal);
}

/// <summary>Anything that can be called: a macro, a method of a value, a global.</summary>
internal sealed record Callable(string Name, Func<Interpreter, Arguments, object?> Invoke);

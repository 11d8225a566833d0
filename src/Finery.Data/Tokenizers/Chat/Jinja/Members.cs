namespace Finery.Data.Tokenizers.Jinja;

/// <summary>Attributes, items and slices of values. What is not there is undefined; nothing else of the platform can be
/// reached.</summary>
internal static class Members
{
    /// <summary>Methods that would change a list or mapping: refused when called, as data is immutable.</summary>
    private static readonly HashSet<string> Mutators = new(StringComparer.Ordinal)
        { "append", "extend", "insert", "remove", "clear", "pop", "popitem", "sort", "reverse", "setdefault", "update" };

    public static object? Attribute(object? owner, string name)
    {
        if (Method(owner, name) is { } method) return method;
        return owner switch
        {
            Mapping map => map.TryGet(name, out object? value) ? value : Nothing(owner, name),
            Namespace space => space.Fields.TryGetValue(name, out object? value) ? value : Nothing(owner, name),
            LoopState loop => loop.Field(name),
            Undefined missing => throw missing.Error(),
            _ => Nothing(owner, name),
        };
    }

    public static object? Item(object? owner, object? key, Interpreter run)
    {
        switch (owner)
        {
            case Undefined missing:
                throw missing.Error();
            case Mapping map when KeyComparer.CanBeKey(key) && map.TryGet(key, out object? value):
                return value;
            case Sequence { Kind: not SequenceKind.View } list when key is long or bool:
                return At(list.Items, Comparison.ToLong(key)) is { } place ? list.Items[place] : Nothing(owner, key);
            case string or Markup when key is long or bool:
                string text = Kinds.TextOf(owner)!;
                long index = Comparison.ToLong(key);
                if (Characters.IsSimple(text))
                {
                    if (index < 0) index += text.Length;
                    return index >= 0 && index < text.Length ? Like(owner, Characters.Single(text[(int)index])) : Nothing(owner, key);
                }
                string[] parts = Characters.Split(run.Checked(text));
                return At(parts, index) is { } at ? Like(owner, parts[at]) : Nothing(owner, key);
            default:
                if (Kinds.TextOf(key) is not { } name) return Nothing(owner, key);
                return Method(owner, name) ?? (owner is Namespace or LoopState ? Attribute(owner, name) : Nothing(owner, key));
        }
    }

    /// <summary>Python's <c>owner[start:stop:step]</c>.</summary>
    public static object? Slice(object? owner, object? start, object? stop, object? step, Interpreter run)
    {
        if (owner is Undefined missing) throw missing.Error();
        if (owner is Sequence { Kind: not SequenceKind.View } list)
            return new Sequence(Sliced(list.Items, start, stop, step, run), list.Kind == SequenceKind.Range ? SequenceKind.List : list.Kind);
        if (Kinds.TextOf(owner) is not { } text) throw new TemplateError($"'{Kinds.NameOf(owner)}' object cannot be sliced.");
        if (step is null && Characters.IsSimple(text))
        {
            (int from, int to) = (Bound(start, 0, text.Length, 0), Bound(stop, text.Length, text.Length, 0));
            return Like(owner, run.Checked(from < to ? text[from..to] : ""));
        }
        string[] parts = Characters.Split(run.Checked(text));
        return Like(owner, string.Concat(Sliced(parts, start, stop, step, run)));
    }

    private static T[] Sliced<T>(T[] items, object? start, object? stop, object? step, Interpreter run)
    {
        long by = step is null ? 1 : Comparison.ToLong(step);
        if (by == 0) throw new TemplateError("the step of a slice cannot be 0.");
        int least = by > 0 ? 0 : -1;
        int from = Bound(start, by > 0 ? 0 : items.Length - 1, by > 0 ? items.Length : items.Length - 1, least);
        int to = Bound(stop, by > 0 ? items.Length : -1, by > 0 ? items.Length : items.Length - 1, least);
        if (by == 1)
        {
            run.Charge(Math.Max(0, to - from) >> 3);
            return from < to ? items[from..to] : [];
        }
        var picked = new List<T>();
        for (long i = from; by > 0 ? i < to : i > to; i += by)
        {
            picked.Add(items[i]);
            if (Math.Abs(by) > items.Length) break;
        }
        run.Charge(picked.Count);
        return [.. picked];
    }

    /// <summary>A bound of a slice: negative ones count from the end, and all are held within the list.</summary>
    private static int Bound(object? value, int otherwise, int most, int least)
    {
        if (value is null) return otherwise;
        long bound = Comparison.ToLong(value);
        int length = least < 0 ? most + 1 : most;
        if (bound < 0) bound = Math.Max(bound + length, least);
        return (int)Math.Min(bound, most);
    }

    private static int? At<T>(T[] items, long index)
    {
        if (index < 0) index += items.Length;
        return index >= 0 && index < items.Length ? (int)index : null;
    }

    /// <summary>Text marked as its origin is.</summary>
    public static object Like(object? origin, string text) => origin is Markup ? new Markup(text) : text;

    private static Undefined Nothing(object? owner, object? key) => new(key as string ?? "that index", owner, hasOwner: true);

    /// <summary>A method of a value, or null.</summary>
    public static object? Method(object? owner, string name) => owner switch
    {
        string or Markup => TextMethods.Find(owner, name),
        Mapping map => Mutators.Contains(name) && name is not ("append" or "extend" or "insert" or "remove" or "sort" or "reverse")
            ? Refused(name, "dict") : ContainerMethods.Find(map, name),
        Sequence { Kind: SequenceKind.List } list => Mutators.Contains(name) && name is not ("popitem" or "setdefault" or "update")
            ? Refused(name, "list") : ContainerMethods.Find(list, name),
        Sequence { Kind: SequenceKind.Tuple } tuple => name == "copy" ? null : ContainerMethods.Find(tuple, name),
        _ => null,
    };

    private static Undefined Refused(string name, string kind) =>
        new(name, problem: $"'{name}' would change a {kind}, and templates cannot change data");
}

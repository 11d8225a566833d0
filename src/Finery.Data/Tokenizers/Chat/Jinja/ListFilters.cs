using System.Text;

namespace Finery.Data.Tokenizers.Jinja;

/// <summary>Filters of lists and mappings.</summary>
internal static class ListFilters
{
    public static Dictionary<string, Filter> Create() => new(StringComparer.Ordinal)
    {
        ["length"] = (_, value, _) => Kinds.Length(value),
        ["count"] = (_, value, _) => Kinds.Length(value),
        ["list"] = (run, value, _) => new Sequence(Kinds.Items(value, run)),
        ["first"] = (run, value, _) => value is Stream stream ? stream.TryNext(out object? first) ? first : new Undefined("the first of nothing")
            : Kinds.Items(value, run) is [var item, ..] ? item : new Undefined("the first of nothing"),
        ["last"] = (run, value, _) => Reversible(value, run) is [.., var item] ? item : new Undefined("the last of nothing"),
        ["reverse"] = (run, value, _) => Kinds.TextOf(value) is { } text
            ? string.Concat(Characters.Split(run.Checked(text)).Reverse()) : new Stream([.. Kinds.Items(value, run).Reverse()]),
        ["join"] = Join,
        ["items"] = (run, value, _) => value switch
        {
            Undefined => new Stream([]),
            Mapping map => new Stream(ContainerMethods.Items(map)),
            _ => throw new TemplateError("items needs a mapping."),
        },
        ["dictsort"] = DictSort,
        ["sort"] = (run, value, given) =>
        {
            object?[] values = given.Bind("sort", "reverse", "case_sensitive", "attribute");
            return new Sequence(Sorted(run, value, values[2], values[1], Kinds.IsTrue(Arguments.Or(values[0], false))));
        },
        ["unique"] = (run, value, given) =>
        {
            object?[] values = given.Bind("unique", "case_sensitive", "attribute");
            var key = KeyOf(values[1], values[0], run);
            var seen = new HashSet<object>(KeyComparer.Instance);
            return new Stream([.. Kinds.Items(value, run).Where(item => seen.Add(KeyComparer.Boxed(Hashable(key(item)))))]);
        },
        ["min"] = (run, value, given) => Extreme(run, value, given, "min", -1),
        ["max"] = (run, value, given) => Extreme(run, value, given, "max", 1),
        ["sum"] = (run, value, given) =>
        {
            object?[] values = given.Bind("sum", "attribute", "start");
            object? attribute = Arguments.Or(values[0], null);
            return Kinds.Items(value, run).Aggregate(Arguments.Or(values[1], 0L),
                (sum, item) => Arithmetic.Add(sum, attribute is null ? item : Path(item, attribute, run), run));
        },
        ["map"] = Map,
        ["select"] = (run, value, given) => Selected(run, value, given, null, wanted: true),
        ["reject"] = (run, value, given) => Selected(run, value, given, null, wanted: false),
        ["selectattr"] = (run, value, given) => Selected(run, value, given.Skip(1), First(given, "selectattr"), wanted: true),
        ["rejectattr"] = (run, value, given) => Selected(run, value, given.Skip(1), First(given, "rejectattr"), wanted: false),
        ["groupby"] = GroupBy,
        ["batch"] = Batch,
    };

    private static object?[] Reversible(object? value, Interpreter run) => value is Stream
        ? throw new TemplateError("'generator' object cannot be reversed.") : Kinds.Items(value, run);

    /// <summary>Nothing false has items: not even None is an error for these filters.</summary>
    private static object?[] SomeItems(object? value, Interpreter run) => Kinds.IsTrue(value) ? Kinds.Items(value, run) : [];

    private static object? First(Arguments given, string name) => given.Positional.Length > 0 ? given.Positional[0]
        : throw new TemplateError($"{name} needs the name of an attribute.");

    private static object? Hashable(object? value) => KeyComparer.CanBeKey(value) ? value
        : throw new TemplateError($"'{Kinds.NameOf(value)}' cannot be a key.");

    private static string Join(Interpreter run, object? value, Arguments given)
    {
        object?[] values = given.Bind("join", "d", "attribute");
        string separator = Printing.Text(Arguments.Or(values[0], ""), run);
        object? attribute = Arguments.Or(values[1], null);
        var result = new StringBuilder();
        bool isFirst = true;
        foreach (object? item in Kinds.Items(value, run))
        {
            if (!isFirst) result.Append(separator);
            isFirst = false;
            result.Append(Printing.Text(attribute is null ? item : Path(item, attribute, run), run));
            run.CheckText(result.Length, isNew: false);
        }
        return run.Checked(result.ToString());
    }

    /// <summary>An attribute by a path such as <c>a.b.0</c>, or an index.</summary>
    private static object? Path(object? item, object? path, Interpreter run) => Path(item, path, run, Arguments.Missing);

    private static object? Path(object? item, object? path, Interpreter run, object? otherwise)
    {
        object?[] parts = Kinds.TextOf(path) is { } text ? Array.ConvertAll(text.Split('.'), Key) : [path];
        foreach (object? part in parts)
        {
            item = Members.Item(item, part, run);
            if (item is Undefined && otherwise is not null && otherwise != Arguments.Missing) item = otherwise;
        }
        return item;

        static object? Key(string part) => part.Length is > 0 and < 10 && part.All(char.IsAsciiDigit)
            ? long.Parse(part, System.Globalization.CultureInfo.InvariantCulture) : part;
    }

    /// <summary>What to sort or compare by: small letters, unless case counts.</summary>
    private static Func<object?, object?> KeyOf(object? attribute, object? caseSensitive, Interpreter run)
    {
        bool keepsCase = Kinds.IsTrue(Arguments.Or(caseSensitive, false));
        object? path = Arguments.Or(attribute, null);
        return item =>
        {
            object? key = path is null ? item : Path(item, path, run);
            return !keepsCase && Kinds.TextOf(key) is { } text ? Characters.Lower(text) : key;
        };
    }

    private static object?[] Sorted(Interpreter run, object? value, object? attribute, object? caseSensitive, bool reverse)
    {
        object?[] items = Kinds.Items(value, run);
        if (Kinds.TextOf(Arguments.Or(attribute, null)) is not { } names || !names.Contains(',', StringComparison.Ordinal))
            return Comparison.Sorted(items, KeyOf(attribute, caseSensitive, run), run, reverse);
        var keys = names.Split(',').Select(name => KeyOf(name, caseSensitive, run)).ToArray();
        return Comparison.Sorted(items, item => new Sequence([.. keys.Select(key => key(item))]), run, reverse);
    }

    private static Sequence DictSort(Interpreter run, object? value, Arguments given)
    {
        object?[] values = given.Bind("dictsort", "case_sensitive", "by", "reverse");
        if (value is Undefined missing) throw missing.Error();
        if (value is not Mapping map) throw new TemplateError("dictsort needs a mapping.");
        string by = Arguments.Text(values[1], "dictsort", "key");
        if (by is not ("key" or "value")) throw new TemplateError("dictsort sorts by 'key' or 'value'.");
        var key = KeyOf(by == "key" ? 0L : 1L, values[0], run);
        run.Charge(map.Count);
        return new Sequence(Comparison.Sorted(ContainerMethods.Items(map), key, run, Kinds.IsTrue(Arguments.Or(values[2], false))));
    }

    private static object? Extreme(Interpreter run, object? value, Arguments given, string name, int sign)
    {
        object?[] values = given.Bind(name, "case_sensitive", "attribute");
        var key = KeyOf(values[1], values[0], run);
        object?[] items = Kinds.Items(value, run);
        if (items.Length == 0) return new Undefined($"the {name} of nothing");
        object? best = items[0];
        foreach (object? item in items.Skip(1))
        {
            if (Math.Sign(Comparison.Compare(key(item), key(best), run)) == sign) best = item;
        }
        return best;
    }

    private static Stream Map(Interpreter run, object? value, Arguments given)
    {
        if (given.Positional.Length == 0)
        {
            object?[] values = given.Bind("map", "attribute", "default");
            object? attribute = Arguments.Required(values[0], "map", "attribute");
            return new Stream(Array.ConvertAll(SomeItems(value, run), item => Path(item, attribute, run, values[1])));
        }
        string name = Arguments.Text(given.Positional[0], "map");
        Filter filter = Filters.Find(name) ?? throw TemplateError.Unsupported($"The filter '{name}'");
        Arguments rest = given.Skip(1);
        return new Stream(Array.ConvertAll(SomeItems(value, run), item => filter(run, item, rest)));
    }

    private static Stream Selected(Interpreter run, object? value, Arguments given, object? attribute, bool wanted)
    {
        Test? test = null;
        if (given.Positional.Length > 0)
        {
            string name = Arguments.Text(given.Positional[0], "select");
            test = Tests.Find(name) ?? throw TemplateError.Unsupported($"The test '{name}'");
            given = given.Skip(1);
        }
        return new Stream(Array.FindAll(SomeItems(value, run), item =>
        {
            run.Charge(1);
            object? tested = attribute is null ? item : Path(item, attribute, run);
            return (test?.Invoke(run, tested, given) ?? Kinds.IsTrue(tested)) == wanted;
        }));
    }

    private static Sequence GroupBy(Interpreter run, object? value, Arguments given)
    {
        object?[] values = given.Bind("groupby", "attribute", "default", "case_sensitive");
        object? attribute = Arguments.Required(values[0], "groupby", "attribute");
        object? Found(object? item) => Path(item, attribute, run, values[1]);
        bool keepsCase = Kinds.IsTrue(Arguments.Or(values[2], false));
        object? Key(object? item) => !keepsCase && Kinds.TextOf(Found(item)) is { } text ? Characters.Lower(text) : Found(item);
        var groups = new List<(object? Key, object? Shown, List<object?> Items)>();
        foreach (object? item in Comparison.Sorted(Kinds.Items(value, run), Key, run))
        {
            object? key = Key(item);
            if (groups.Count == 0 || !Comparison.AreEqual(groups[^1].Key, key, run)) groups.Add((key, Found(item), []));
            groups[^1].Items.Add(item);
        }
        return new Sequence([.. groups.Select(group => new Sequence([group.Shown, new Sequence([.. group.Items])], SequenceKind.Tuple))]);
    }

    private static Stream Batch(Interpreter run, object? value, Arguments given)
    {
        object?[] values = given.Bind("batch", "linecount", "fill_with");
        int size = (int)Math.Clamp(Comparison.ToLong(Arguments.Required(values[0], "batch", "linecount")), 1, 100_000);
        object? fill = Arguments.Or(values[1], null);
        return new Stream([.. Kinds.Items(value, run).Chunk(size).Select(chunk => new Sequence(
            fill is null ? chunk : [.. chunk, .. Enumerable.Repeat(fill, size - chunk.Length)]))]);
    }
}

namespace Finery.Data.Tokenizers.Jinja;

/// <summary>Methods of lists, tuples and mappings.</summary>
internal static class ContainerMethods
{
    public static Callable? Find(Mapping map, string name) => name switch
    {
        "get" => new(name, (_, arguments) =>
        {
            object?[] given = arguments.Bind("get", "key", "default");
            object? key = Arguments.Required(given[0], "get", "key");
            if (!KeyComparer.CanBeKey(key)) throw new TemplateError($"'{Kinds.NameOf(key)}' cannot be a key.");
            return map.TryGet(key, out object? value) ? value : Arguments.Or(given[1], null);
        }),
        "items" => new(name, (run, arguments) => View(arguments, "items", run, Items(map))),
        "keys" => new(name, (run, arguments) => View(arguments, "keys", run, map.Keys)),
        "values" => new(name, (run, arguments) => View(arguments, "values", run, map.Values)),
        "copy" => new(name, (_, arguments) =>
        {
            arguments.Bind("copy");
            return map;
        }),
        _ => null,
    };

    public static Callable? Find(Sequence list, string name) => name switch
    {
        "index" => new(name, (run, arguments) =>
        {
            object?[] given = arguments.Bind("index", "value");
            int at = Array.FindIndex(list.Items, item => Comparison.AreEqual(item, given[0], run));
            run.Charge(list.Items.Length);
            return at >= 0 ? (long)at : throw new TemplateError("the value is not in the list.");
        }),
        "count" => new(name, (run, arguments) =>
        {
            object?[] given = arguments.Bind("count", "value");
            run.Charge(list.Items.Length);
            return (long)list.Items.Count(item => Comparison.AreEqual(item, given[0], run));
        }),
        "copy" => new(name, (_, _) => list),
        _ => null,
    };

    /// <summary>Pairs (key, value) in order.</summary>
    public static object?[] Items(Mapping map) =>
        [.. map.Keys.Zip(map.Values, (key, value) => new Sequence([key, value], SequenceKind.Tuple))];

    private static Sequence View(Arguments arguments, string name, Interpreter run, object?[] items)
    {
        arguments.Bind(name);
        run.Charge(items.Length);
        return new Sequence(items, SequenceKind.View);
    }
}

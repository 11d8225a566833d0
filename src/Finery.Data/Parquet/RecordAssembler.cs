using System.Text.Json.Nodes;

namespace Finery.Data.Parquet;

/// <summary>Rebuilds the value of a field in a row from the entries of the columns below it, as the levels tell (Melnik et al.
/// 2010, "Dremel").</summary>
internal sealed class RecordAssembler(SchemaNode field, IReadOnlyList<ColumnReader?> columns)
{
    // Columns of the file by number; those below the field are open.
    private readonly IReadOnlyList<ColumnReader?> _columns = columns;

    /// <summary>The value in the row that the columns stand at; they are then at the next.</summary>
    public JsonNode? Next() => Value(field);

    private ColumnReader First(SchemaNode node)
    {
        while (node.IsGroup)
            node = node.Children[0];
        return _columns[node.Column]!;
    }

    private JsonNode? Value(SchemaNode node)
    {
        var first = First(node);
        if (first.IsAtEnd)
            throw new InvalidDataException("Damaged Parquet file: a column has fewer values than rows.");
        if (node.Repetition == Repetition.Repeated)
            return Elements(node, node);
        if (first.Definition < node.Definition)
        {
            Pass(node);
            return null;
        }
        return Content(node);
    }

    private JsonNode? Content(SchemaNode node)
    {
        if (!node.IsGroup)
        {
            var value = _columns[node.Column]!.Node();
            _columns[node.Column]!.MoveNext();
            return value;
        }
        if (node is { Meaning: Meaning.List, Children: [{ Repetition: Repetition.Repeated } repeated] })
        {
            // Lists of two levels, which old writers made, have no group around the element.
            var isWrapped = repeated is { IsGroup: true, Children.Count: 1 } && repeated.Name != "array"
                && repeated.Name != node.Name + "_tuple";
            return Elements(repeated, isWrapped ? repeated.Children[0] : repeated);
        }
        if (node is { Meaning: Meaning.Map, Children: [{ Repetition: Repetition.Repeated, Children.Count: 2 } pairs] })
            return AsObject(Elements(pairs, pairs), pairs.Children[0].Name, pairs.Children[1].Name);
        var fields = new JsonObject();
        foreach (var child in node.Children)
            fields[child.Name] = Value(child);
        return fields;
    }

    /// <summary>A map whose keys are texts is an object; another stays an array of pairs.</summary>
    private static JsonNode AsObject(JsonArray pairs, string keyName, string valueName)
    {
        var map = new JsonObject();
        foreach (var pair in pairs)
        {
            if (pair is not JsonObject fields || fields[keyName] is not JsonValue key || !key.TryGetValue(out string? name))
                return pairs;
            map[name] = fields[valueName]?.DeepClone();
        }
        return map;
    }

    private JsonArray Elements(SchemaNode repeated, SchemaNode element)
    {
        var first = First(repeated);
        var array = new JsonArray();
        if (first.Definition < repeated.Definition)
        {
            Pass(repeated);
            return array;
        }
        do
            array.Add(element == repeated ? Content(repeated) : Value(element));
        while (!first.IsAtEnd && first.Repetition == repeated.RepetitionLevel);
        return array;
    }

    /// <summary>Passes the one entry that stands for what is not there.</summary>
    private void Pass(SchemaNode node)
    {
        foreach (var leaf in node.Leaves)
            _columns[leaf.Column]!.MoveNext();
    }
}

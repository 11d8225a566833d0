namespace Finery.Data.Parquet;

/// <summary>How values are stored.</summary>
internal enum PhysicalType
{
    Boolean = 0,
    Int32 = 1,
    Int64 = 2,
    Int96 = 3,
    Float = 4,
    Double = 5,
    ByteArray = 6,
    FixedLengthByteArray = 7,
}

/// <summary>Whether a field must, may, or may more than once occur.</summary>
internal enum Repetition
{
    Required = 0,
    Optional = 1,
    Repeated = 2,
}

/// <summary>What values mean, as far as Finery distinguishes it.</summary>
internal enum Meaning
{
    Plain,
    Text,
    List,
    Map,
    Date,
    Milliseconds,
    Microseconds,
    Nanoseconds,
    Unsigned,
    Unsupported,
}

/// <summary>A field of the schema: a column, or a group of fields.</summary>
internal sealed class SchemaNode
{
    public required string Name { get; init; }

    public required Repetition Repetition { get; init; }

    public PhysicalType Type { get; init; }

    public int TypeLength { get; init; }

    public Meaning Meaning { get; init; }

    public IReadOnlyList<SchemaNode> Children { get; private set; } = [];

    /// <summary>Definition level at which the field itself is there.</summary>
    public int Definition { get; private set; }

    /// <summary>Repetition level at which the field repeats.</summary>
    public int RepetitionLevel { get; private set; }

    /// <summary>Number of the column; -1 for a group.</summary>
    public int Column { get; private set; } = -1;

    public bool IsGroup => Column < 0;

    /// <summary>A column that every row has once at most.</summary>
    public bool IsFlat => !IsGroup && RepetitionLevel == 0;

    /// <summary>Columns below, or this one.</summary>
    public IEnumerable<SchemaNode> Leaves => IsGroup ? Children.SelectMany(child => child.Leaves) : [this];

    /// <summary>Whether all values can be read.</summary>
    public bool IsSupported =>
        Meaning != Meaning.Unsupported && (IsGroup ? Children.All(child => child.IsSupported) : Type != PhysicalType.Int96);

    /// <summary>Builds the tree from its fields in depth-first order.</summary>
    public static SchemaNode Tree(IReadOnlyList<(SchemaNode Node, int Children)> fields)
    {
        int next = 0, column = 0;
        var root = Take(fields, ref next, ref column, null, 0);
        return next == fields.Count ? root
            : throw new InvalidDataException("Damaged Parquet file: the schema has fields outside the root.");
    }

    private static SchemaNode Take(
        IReadOnlyList<(SchemaNode Node, int Children)> fields, ref int next, ref int column, SchemaNode? parent, int depth)
    {
        if (next >= fields.Count || depth > 32)
            throw new InvalidDataException("Damaged Parquet file: the schema lacks fields, or is nested too deeply.");
        var (node, count) = fields[next++];
        if (parent is not null)
        {
            node.Definition = parent.Definition + (node.Repetition == Repetition.Required ? 0 : 1);
            node.RepetitionLevel = parent.RepetitionLevel + (node.Repetition == Repetition.Repeated ? 1 : 0);
        }
        if (count > fields.Count)
            throw new InvalidDataException("Damaged Parquet file: the schema lacks fields.");
        if (count == 0 && parent is not null)
        {
            node.Column = column++;
            return node;
        }
        var children = new List<SchemaNode>(count);
        for (var i = 0; i < count; i++)
            children.Add(Take(fields, ref next, ref column, node, depth + 1));
        node.Children = children;
        return node;
    }
}

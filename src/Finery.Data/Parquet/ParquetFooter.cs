using Finery.Data.Readers.Remote;

namespace Finery.Data.Parquet;

/// <summary>Where the values of a column lie in a row group.</summary>
/// <param name="Type">How they are stored.</param>
/// <param name="Codec">Number of the codec.</param>
/// <param name="Values">How many, nulls included.</param>
/// <param name="Start">Where its first page begins.</param>
internal sealed record ColumnChunk(PhysicalType Type, int Codec, long Values, long Start);

/// <summary>Rows that are stored together.</summary>
internal sealed record RowGroup(IReadOnlyList<ColumnChunk> Columns, long Rows);

/// <summary>What a Parquet file says of itself at its end.</summary>
internal sealed record ParquetFooter(SchemaNode Schema, IReadOnlyList<RowGroup> RowGroups, string CreatedBy)
{
    /// <summary>Reads the footer of a file.</summary>
    /// <exception cref="InvalidDataException">It is no Parquet file, encrypted or damaged.</exception>
    public static ParquetFooter Read(RandomInput file)
    {
        var length = file.Length;
        Span<byte> end = stackalloc byte[8];
        Span<byte> start = stackalloc byte[4];
        if (length < 12 || file.Read(end, length - 8) < 8 || file.Read(start, 0) < 4)
            throw new InvalidDataException("It is too short for a Parquet file.");
        if (end[4..].SequenceEqual("PARE"u8) || start.SequenceEqual("PARE"u8))
            throw new InvalidDataException("The Parquet file is encrypted, which Finery does not read.");
        if (!end[4..].SequenceEqual("PAR1"u8) || !start.SequenceEqual("PAR1"u8))
            throw new InvalidDataException("It is no Parquet file, or it was cut off: it must begin and end with 'PAR1'.");
        var size = System.Buffers.Binary.BinaryPrimitives.ReadUInt32LittleEndian(end);
        if (size > length - 12 || size > Array.MaxLength)
            throw new InvalidDataException("Damaged Parquet file: its footer is longer than the file.");
        var bytes = new byte[size];
        for (var filled = 0; filled < bytes.Length;)
        {
            var count = file.Read(bytes.AsSpan(filled), length - 8 - size + filled);
            filled += count > 0 ? count : throw new InvalidDataException("Damaged Parquet file: its footer cannot be read.");
        }
        try
        {
            var footer = Parse(bytes);
            // Even runs of nulls take some bytes: a small file that claims a multitude of rows would only waste time.
            var rows = footer.RowGroups.Aggregate(0.0, (sum, group) => sum + group.Rows);
            return rows <= 1e6 + 2000.0 * length ? footer
                : throw new InvalidDataException($"Damaged Parquet file: it claims {rows} rows in {length} bytes.");
        }
        catch (EndOfStreamException e)
        {
            throw new InvalidDataException("Damaged Parquet file: its footer is cut off.", e);
        }
    }

    /// <summary>Reads the structure FileMetaData.</summary>
    internal static ParquetFooter Parse(ReadOnlySpan<byte> bytes)
    {
        var reader = new ThriftReader(bytes);
        SchemaNode? schema = null;
        var groups = new List<RowGroup>();
        var createdBy = "";
        var id = reader.Begin();
        while (reader.NextField(ref id, out var type))
            switch (id, type)
            {
                case (2, ThriftType.List):
                    var fields = new List<(SchemaNode, int)>();
                    for (var count = reader.List(out _); count > 0; count--)
                        fields.Add(ReadField(ref reader));
                    schema = SchemaNode.Tree(fields);
                    break;
                case (4, ThriftType.List):
                    for (var count = reader.List(out _); count > 0; count--)
                        groups.Add(ReadRowGroup(ref reader));
                    break;
                case (6, ThriftType.Binary):
                    createdBy = reader.Text();
                    break;
                case (8, _):
                    throw new InvalidDataException("The Parquet file is encrypted, which Finery does not read.");
                default:
                    reader.Skip(type);
                    break;
            }
        if (schema is null)
            throw new InvalidDataException("Damaged Parquet file: it has no schema.");
        var leaves = schema.Leaves.ToList();
        foreach (var group in groups)
            if (group.Rows < 0 || !group.Columns.Select(column => column.Type).SequenceEqual(leaves.Select(leaf => leaf.Type)))
                throw new InvalidDataException("Damaged Parquet file: a row group does not fit the schema.");
        return new ParquetFooter(schema, groups, createdBy);
    }

    private static (SchemaNode Node, int Children) ReadField(ref ThriftReader reader)
    {
        int type = 0, length = 0, repetition = 0, children = 0, converted = -1;
        var name = "";
        Meaning? logical = null;
        var id = reader.Begin();
        while (reader.NextField(ref id, out var field))
            switch (id, field)
            {
                case (1, ThriftType.Int32): type = reader.Int32(); break;
                case (2, ThriftType.Int32): length = reader.Int32(); break;
                case (3, ThriftType.Int32): repetition = reader.Int32(); break;
                case (4, ThriftType.Binary): name = reader.Text(); break;
                case (5, ThriftType.Int32): children = reader.Int32(); break;
                case (6, ThriftType.Int32): converted = reader.Int32(); break;
                case (10, ThriftType.Struct): logical = ReadLogicalType(ref reader); break;
                default: reader.Skip(field); break;
            }
        if (type is < 0 or > 7 || repetition is < 0 or > 2 || children < 0 || (type == 7 && length is < 0 or > 1 << 20))
            throw new InvalidDataException($"Damaged Parquet file: field '{name}' of the schema is not valid.");
        return (new SchemaNode
        {
            Name = name,
            Repetition = (Repetition)repetition,
            Type = (PhysicalType)type,
            TypeLength = length,
            Meaning = logical ?? converted switch
            {
                0 or 4 or 19 => Meaning.Text,
                1 or 2 => Meaning.Map,
                3 => Meaning.List,
                5 or 20 or 21 => Meaning.Unsupported,
                6 => Meaning.Date,
                9 => Meaning.Milliseconds,
                10 => Meaning.Microseconds,
                11 or 12 or 13 or 14 => Meaning.Unsigned,
                _ => Meaning.Plain,
            },
        }, children);
    }

    /// <summary>Null where the older annotation says as much.</summary>
    private static Meaning? ReadLogicalType(ref ThriftReader reader)
    {
        Meaning? meaning = null;
        var id = reader.Begin();
        while (reader.NextField(ref id, out var type))
        {
            meaning = id switch
            {
                1 or 4 or 12 => Meaning.Text,
                2 => Meaning.Map,
                3 => Meaning.List,
                5 or 13 or 14 or 15 or 16 or 17 or 18 => Meaning.Unsupported,
                6 => Meaning.Date,
                _ => meaning,
            };
            if (id == 8 && type == ThriftType.Struct)
                meaning = ReadTimestamp(ref reader);
            else
                reader.Skip(type);
        }
        return meaning;
    }

    private static Meaning? ReadTimestamp(ref ThriftReader reader)
    {
        Meaning? meaning = null;
        var id = reader.Begin();
        while (reader.NextField(ref id, out var type))
        {
            if (id != 2 || type != ThriftType.Struct)
            {
                reader.Skip(type);
                continue;
            }
            var unit = reader.Begin();
            while (reader.NextField(ref unit, out var inner))
            {
                meaning = unit switch
                {
                    1 => Meaning.Milliseconds,
                    2 => Meaning.Microseconds,
                    3 => Meaning.Nanoseconds,
                    _ => meaning,
                };
                reader.Skip(inner);
            }
        }
        return meaning;
    }

    private static RowGroup ReadRowGroup(ref ThriftReader reader)
    {
        var columns = new List<ColumnChunk>();
        long rows = 0;
        var id = reader.Begin();
        while (reader.NextField(ref id, out var type))
            switch (id, type)
            {
                case (1, ThriftType.List):
                    for (var count = reader.List(out _); count > 0; count--)
                        columns.Add(ReadChunk(ref reader));
                    break;
                case (3, ThriftType.Int64):
                    rows = reader.Integer();
                    break;
                default:
                    reader.Skip(type);
                    break;
            }
        return new RowGroup(columns, rows);
    }

    private static ColumnChunk ReadChunk(ref ThriftReader reader)
    {
        ColumnChunk? chunk = null;
        var id = reader.Begin();
        while (reader.NextField(ref id, out var type))
            switch (id, type)
            {
                case (1, ThriftType.Binary):
                    if (reader.Binary().Length > 0)
                        throw new InvalidDataException(
                            "The Parquet file keeps columns in other files, which Finery does not read.");
                    break;
                case (3, ThriftType.Struct):
                    chunk = ReadColumn(ref reader);
                    break;
                case (8 or 9, _):
                    throw new InvalidDataException("The Parquet file has encrypted columns, which Finery does not read.");
                default:
                    reader.Skip(type);
                    break;
            }
        return chunk ?? throw new InvalidDataException("Damaged Parquet file: a column has no metadata.");
    }

    private static ColumnChunk ReadColumn(ref ThriftReader reader)
    {
        int type = 0, codec = 0;
        long values = 0, data = 0, dictionary = 0;
        var id = reader.Begin();
        while (reader.NextField(ref id, out var field))
            switch (id, field)
            {
                case (1, ThriftType.Int32): type = reader.Int32(); break;
                case (4, ThriftType.Int32): codec = reader.Int32(); break;
                case (5, ThriftType.Int64): values = reader.Integer(); break;
                case (9, ThriftType.Int64): data = reader.Integer(); break;
                case (11, ThriftType.Int64): dictionary = reader.Integer(); break;
                default: reader.Skip(field); break;
            }
        return new ColumnChunk((PhysicalType)type, codec, values, dictionary > 0 ? Math.Min(dictionary, data) : data);
    }
}

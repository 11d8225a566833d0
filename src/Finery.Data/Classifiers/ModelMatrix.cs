using System.Runtime.InteropServices;

namespace Finery.Data.Classifiers;

/// <summary>A matrix of a fastText model: rows of floats, or of codes with the centroids they stand for.</summary>
internal sealed class ModelMatrix
{
    // Smaller quantised matrices are kept as floats beside their codes: adding rows is several times faster.
    private const long MostUnpackedBytes = 64 << 20;

    private readonly byte[]? _codes;
    private readonly byte[]? _normCodes;
    private readonly ProductQuantiser? _quantiser;
    private readonly ProductQuantiser? _normQuantiser;

    /// <summary>A matrix of floats.</summary>
    public ModelMatrix(long rows, int columns, float[] values)
    {
        (Rows, Columns, Values) = (rows, columns, values);
        Kernel = new DenseRows(values, columns);
    }

    /// <summary>A quantised matrix.</summary>
    public ModelMatrix(
        long rows, int columns, byte[] codes, ProductQuantiser quantiser, byte[]? normCodes, ProductQuantiser? normQuantiser)
    {
        (Rows, Columns) = (rows, columns);
        (_codes, _quantiser, _normCodes, _normQuantiser) = (codes, quantiser, normCodes, normQuantiser);
        Kernel = rows * columns * 4 <= MostUnpackedBytes
            ? new DenseRows(Unpack(withNorms: true), columns)
            : new CodedRows(codes, quantiser, normCodes, normQuantiser?.Centroids);
    }

    public long Rows { get; }

    public int Columns { get; }

    /// <summary>The floats; null if quantised.</summary>
    public float[]? Values { get; }

    public bool IsQuantised => _codes is not null;

    /// <summary>Adds rows.</summary>
    public IRowSum Kernel { get; }

    /// <summary>Factor of each row's product with a vector, which fastText applies last; null if there is none.</summary>
    public float[]? Norms => _normCodes is null ? null : Array.ConvertAll(_normCodes, code => _normQuantiser!.Centroids[code]);

    /// <summary>Every row as floats, times its norm or not.</summary>
    public float[] Unpack(bool withNorms)
    {
        if (Values is not null)
            return Values;
        var values = new float[Rows * Columns];
        for (var row = 0; row < Rows; row++)
        {
            var norm = withNorms && _normCodes is not null ? _normQuantiser!.Centroids[_normCodes[row]] : 1f;
            for (var part = 0; part < _quantiser!.PartCount; part++)
            {
                var centroid = _quantiser.Centroid(part, _codes![(long)row * _quantiser.PartCount + part]);
                var target = values.AsSpan(row * Columns + part * _quantiser.PartSize, centroid.Length);
                // The product that fastText forms each time it adds the row, so the sums stay equal to the last bit.
                for (var i = 0; i < centroid.Length; i++)
                    target[i] = norm * centroid[i];
            }
        }
        return values;
    }

    public static ModelMatrix Read(ModelReader reader, bool isQuantised, int dimension, string what)
    {
        var hasNorms = isQuantised && reader.ReadFlag("the flag of quantised norms");
        long rows = reader.ReadInt64(), columns = reader.ReadInt64();
        if (columns != dimension || rows is < 0 or > int.MaxValue)
            throw reader.Bad($"its {what} matrix of {rows} x {columns} does not go with dimension {dimension}");
        if (!isQuantised)
        {
            reader.Require(rows, 4L * columns, $"rows of the {what} matrix");
            return new(rows, dimension, reader.ReadFloats(rows * columns, $"values of the {what} matrix"));
        }
        var size = reader.ReadInt32();
        if (rows > 0 && (size <= 0 || size % rows != 0))
            throw reader.Bad($"{size} codes do not go with {rows} rows of the {what} matrix");
        var codes = reader.ReadBytes(size, $"codes of the {what} matrix");
        var quantiser = ProductQuantiser.Read(reader, columns);
        if (rows * quantiser.PartCount != size)
            throw reader.Bad($"{size} codes do not go with {rows} rows of {quantiser.PartCount} parts");
        if (!hasNorms)
            return new(rows, dimension, codes, quantiser, null, null);
        var norms = reader.ReadBytes(rows, "codes of norms");
        return new(rows, dimension, codes, quantiser, norms, ProductQuantiser.Read(reader, 1));
    }

    public void Write(BinaryWriter writer)
    {
        if (IsQuantised)
            writer.Write(_normCodes is not null);
        writer.Write(Rows);
        writer.Write((long)Columns);
        if (Values is not null)
        {
            writer.BaseStream.Write(MemoryMarshal.AsBytes(Values.AsSpan()));
            return;
        }
        writer.Write(_codes!.Length);
        writer.Write(_codes);
        _quantiser!.Write(writer);
        if (_normCodes is null)
            return;
        writer.Write(_normCodes);
        _normQuantiser!.Write(writer);
    }
}

namespace Finery.Data.Classifiers;

/// <summary>Cuts vectors into parts and keeps for each part one byte: the number of the nearest of 256 centroids.</summary>
/// <remarks>Centroids of part m start at <c>m * 256 * partSize</c>; the last part may be shorter.</remarks>
internal sealed class ProductQuantiser
{
    /// <summary>Centroids of each part.</summary>
    public const int CentroidCount = 256;

    public ProductQuantiser(int dimension, int partSize, float[] centroids)
    {
        (Dimension, PartSize, Centroids) = (dimension, partSize, centroids);
        PartCount = (dimension + partSize - 1) / partSize;
    }

    public int Dimension { get; }

    /// <summary>Components of every part but the last.</summary>
    public int PartSize { get; }

    public int PartCount { get; }

    public float[] Centroids { get; }

    /// <summary>Components of one part.</summary>
    public int SizeOf(int part) => part == PartCount - 1 ? Dimension - part * PartSize : PartSize;

    /// <summary>A centroid of one part.</summary>
    public ReadOnlySpan<float> Centroid(int part, byte code)
    {
        var size = SizeOf(part);
        return Centroids.AsSpan(part * CentroidCount * PartSize + code * size, size);
    }

    public static ProductQuantiser Read(ModelReader reader, long columns)
    {
        int dimension = reader.ReadInt32(), parts = reader.ReadInt32(), size = reader.ReadInt32(), last = reader.ReadInt32();
        if (dimension != columns || size <= 0 || size > dimension || parts != (dimension + (long)size - 1) / size
            || last != dimension - (parts - 1L) * size)
            throw reader.Bad($"a product quantiser of {parts} parts of {size} and {last} does not fit {columns} columns");
        return new(dimension, size, reader.ReadFloats((long)dimension * CentroidCount, "centroid components"));
    }

    public void Write(BinaryWriter writer)
    {
        writer.Write(Dimension);
        writer.Write(PartCount);
        writer.Write(PartSize);
        writer.Write(SizeOf(PartCount - 1));
        writer.Write(System.Runtime.InteropServices.MemoryMarshal.AsBytes(Centroids.AsSpan()));
    }
}

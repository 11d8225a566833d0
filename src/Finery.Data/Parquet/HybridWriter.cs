namespace Finery.Data.Parquet;

/// <summary>Writes integers as <see cref="HybridReader"/> reads them: as runs where these are shorter, else packed.</summary>
internal static class HybridWriter
{
    public static void Write(PageBuffer target, ReadOnlySpan<int> values, int width)
    {
        var runs = 1;
        for (var i = 1; i < values.Length; i++)
            runs += values[i] != values[i - 1] ? 1 : 0;
        var bytes = (width + 7) / 8;
        if (values.IsEmpty)
            return;
        if ((long)runs * (bytes + 2) <= (long)values.Length * width / 8 || runs == 1)
            WriteRuns(target, values, bytes);
        else
            WritePacked(target, values, width);
    }

    private static void WriteRuns(PageBuffer target, ReadOnlySpan<int> values, int bytes)
    {
        for (var i = 0; i < values.Length;)
        {
            var end = i + 1;
            while (end < values.Length && values[end] == values[i])
                end++;
            target.AddVarint((uint)(end - i) << 1);
            for (var b = 0; b < bytes; b++)
                target.AddByte((byte)(values[i] >> (8 * b)));
            i = end;
        }
    }

    private static void WritePacked(PageBuffer target, ReadOnlySpan<int> values, int width)
    {
        var groups = (values.Length + 7) / 8;
        target.AddVarint(((uint)groups << 1) | 1);
        ulong bits = 0;
        var count = 0;
        for (var i = 0; i < groups * 8; i++)
        {
            bits |= (i < values.Length ? (ulong)(uint)values[i] : 0) << count;
            for (count += width; count >= 8; count -= 8)
            {
                target.AddByte((byte)bits);
                bits >>= 8;
            }
        }
    }
}

using System.Text;

namespace Finery.Data.Classifiers;

/// <summary>What a prediction works with: one for each thread, reused from text to text and from model to model.</summary>
internal sealed class PredictionScratch
{
    // A longer text gets an array of its own: one giant should not stay with every thread.
    private const int MostKeptBytes = 1 << 20;

    [ThreadStatic]
    private static PredictionScratch? t_current;

    private byte[] _bytes = new byte[1024];

    /// <summary>Rows not yet added.</summary>
    public RowList Rows { get; } = new();

    /// <summary>Hashes of the words, where word n-grams are used.</summary>
    public RowList Hashes { get; } = new();

    public BestPredictions Best { get; } = new();

    /// <summary>Nodes of the Huffman tree still to be visited.</summary>
    public Stack<(int Node, float Score)> Pending { get; } = new();

    /// <summary>Mean of the rows; may be longer than the dimension.</summary>
    public float[] Hidden { get; private set; } = [];

    /// <summary>One value a label; may be longer.</summary>
    public float[] Output { get; private set; } = [];

    public static PredictionScratch ForThisThread(int dimension, int labelCount)
    {
        var scratch = t_current ??= new();
        if (scratch.Hidden.Length < dimension)
            scratch.Hidden = new float[dimension];
        if (scratch.Output.Length < labelCount)
            scratch.Output = new float[labelCount];
        return scratch;
    }

    /// <summary>The text as UTF-8 between two spaces.</summary>
    public Span<byte> Take(ReadOnlySpan<char> text)
    {
        var buffer = Room(3L * text.Length + 2);
        var length = Encoding.UTF8.GetBytes(text, buffer.AsSpan(1));
        return Close(buffer, length);
    }

    /// <summary>A copy between two spaces.</summary>
    public Span<byte> Take(ReadOnlySpan<byte> text)
    {
        var buffer = Room(text.Length + 2L);
        text.CopyTo(buffer.AsSpan(1));
        return Close(buffer, text.Length);
    }

    private static Span<byte> Close(byte[] buffer, int length)
    {
        buffer[0] = buffer[length + 1] = (byte)' ';
        return buffer.AsSpan(0, length + 2);
    }

    private byte[] Room(long length)
    {
        if (length <= _bytes.Length)
            return _bytes;
        if (length > MostKeptBytes)
            return new byte[length];
        return _bytes = new byte[Math.Min(MostKeptBytes, Math.Max(length, 2L * _bytes.Length))];
    }
}

using System.Text;
using Finery.Data.Writers;

namespace Finery.Data.Classifiers;

/// <summary> A text classifier in fastText's format (<c>.bin</c>, and quantised <c>.ftz</c>): mean of the vectors of words,
/// character n-grams and word n-grams, then one linear layer (Joulin et al., arXiv 1607.01759, 1612.03651). Labels and
/// probabilities are those of the C++ program to the last bit. Immutable; one model serves any number of threads.
/// </summary>
public sealed class FastTextModel
{
    // Enough rows to amortise a call, few enough to stay in the first cache.
    private const int RowsPerSum = 1024;

    private readonly ModelArguments _arguments;
    private readonly ModelDictionary _dictionary;
    private readonly ModelMatrix _input;
    private readonly ModelMatrix _output;
    private readonly OutputLayer _layer;

    internal FastTextModel(ModelArguments arguments, ModelDictionary dictionary, ModelMatrix input, ModelMatrix output)
    {
        (_arguments, _dictionary, _input, _output) = (arguments, dictionary, input, output);
        _layer = new OutputLayer(output, arguments.Loss, dictionary.LabelCounts);
    }

    /// <summary>The labels with their prefix, most frequent first.</summary>
    public IReadOnlyList<string> Labels => _dictionary.Labels;

    /// <summary>How scores become probabilities.</summary>
    public FastTextLoss Loss => _arguments.Loss;

    /// <summary>Length of the vectors.</summary>
    public int Dimension => _arguments.Dimension;

    /// <summary>Words that have a vector of their own.</summary>
    public int WordCount => _dictionary.WordCount;

    /// <summary>Whether the vectors are quantised.</summary>
    public bool IsQuantised => _input.IsQuantised;

    internal ModelArguments Arguments => _arguments;

    internal ModelDictionary Dictionary => _dictionary;

    internal ModelMatrix Input => _input;

    internal ModelMatrix Output => _output;

    /// <summary>Reads a model file.</summary>
    /// <exception cref="InvalidDataException">It is no supervised fastText model of version 11 or 12, or is damaged; nothing
    /// larger than the file itself warrants is allocated before that is known.</exception>
    public static FastTextModel Load(string path)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        return Load(stream, path);
    }

    /// <summary>Reads a model from a stream that knows its length.</summary>
    /// <param name="stream">From its position to its end.</param>
    /// <param name="name">What messages call it.</param>
    /// <exception cref="InvalidDataException">As above.</exception>
    public static FastTextModel Load(Stream stream, string name)
    {
        var reader = new ModelReader(stream, stream.Length - stream.Position, name);
        var arguments = ModelArguments.Read(reader);
        var dictionary = ModelDictionary.Read(reader, arguments);
        var isQuantised = reader.ReadFlag("the flag of a quantised input matrix");
        if (dictionary.IsPruned && !isQuantised)
            throw reader.Bad(
                "its dictionary is pruned but its input matrix not quantised: an early release of fastText wrote it");
        var input = ModelMatrix.Read(reader, isQuantised, arguments.Dimension, "input");
        var required = dictionary.RequiredRows(arguments);
        if (input.Rows < required)
            throw reader.Bad($"its input matrix has {input.Rows} rows, where {required} are needed");
        var isOutputQuantised = reader.ReadFlag("the flag of a quantised output matrix") && isQuantised;
        var output = ModelMatrix.Read(reader, isOutputQuantised, arguments.Dimension, "output");
        if (output.Rows != dictionary.LabelCount)
            throw reader.Bad($"its output matrix has {output.Rows} rows for {dictionary.LabelCount} labels");
        if (output.Rows * output.Columns > Array.MaxLength / 8)
            throw reader.Bad($"its output matrix of {output.Rows} x {output.Columns} is too large");
        return new(arguments, dictionary, input, output);
    }

    /// <summary>Writes the model as the C++ program reads it; the file appears whole or not at all.</summary>
    public void Save(string path) => AtomicFile.Write(path, Save);

    /// <summary>Writes the model.</summary>
    public void Save(Stream stream)
    {
        using var writer = new BinaryWriter(stream, Encoding.UTF8, leaveOpen: true);
        _arguments.Write(writer);
        _dictionary.Write(writer);
        writer.Write(_input.IsQuantised);
        _input.Write(writer);
        writer.Write(_output.IsQuantised);
        _output.Write(writer);
    }

    /// <summary>The most probable labels of one text, best first.</summary>
    /// <param name="text">One example; white space separates words, and line ends are white space too.</param>
    /// <param name="k">Most labels; -1 for all.</param>
    /// <param name="threshold">Labels less probable than this are left out.</param>
    /// <returns>Empty if nothing of the text is known to the model, not even the end of a line.</returns>
    /// <exception cref="ArgumentOutOfRangeException">k is neither -1 nor positive.</exception>
    public FastTextPrediction[] Predict(ReadOnlySpan<char> text, int k = 1, float threshold = 0)
    {
        var scratch = Score(text, k, threshold);
        var predictions = new FastTextPrediction[scratch.Best.Count];
        Copy(scratch.Best, predictions);
        return predictions;
    }

    /// <summary>The most probable labels, best first, without allocating.</summary>
    /// <param name="text">One example.</param>
    /// <param name="destination">Receives at most as many as it has room for.</param>
    /// <param name="threshold">Labels less probable than this are left out.</param>
    /// <returns>How many were written.</returns>
    public int Predict(ReadOnlySpan<char> text, Span<FastTextPrediction> destination, float threshold = 0)
    {
        if (destination.Length == 0)
            return 0;
        var scratch = Score(text, destination.Length, threshold);
        Copy(scratch.Best, destination);
        return scratch.Best.Count;
    }

    /// <summary>The same for UTF-8.</summary>
    /// <inheritdoc cref="Predict(ReadOnlySpan{char}, Span{FastTextPrediction}, float)"/>
    public int Predict(ReadOnlySpan<byte> text, Span<FastTextPrediction> destination, float threshold = 0)
    {
        if (destination.Length == 0)
            return 0;
        var scratch = PredictionScratch.ForThisThread(Dimension, _dictionary.LabelCount);
        Score(scratch.Take(text), scratch, destination.Length, threshold);
        Copy(scratch.Best, destination);
        return scratch.Best.Count;
    }

    private PredictionScratch Score(ReadOnlySpan<char> text, int k, float threshold)
    {
        if (k is not -1 and <= 0)
            throw new ArgumentOutOfRangeException(nameof(k), k, "The number of labels is -1 for all, or positive.");
        var scratch = PredictionScratch.ForThisThread(Dimension, _dictionary.LabelCount);
        Score(scratch.Take(text), scratch, k < 0 ? _dictionary.LabelCount : k, threshold);
        return scratch;
    }

    private void Copy(BestPredictions best, Span<FastTextPrediction> destination)
    {
        for (var i = 0; i < best.Count; i++)
            destination[i] = new(_dictionary.Labels[best[i].Label], MathF.Exp(best[i].Score));
    }

    private void Score(Span<byte> text, PredictionScratch scratch, int k, float threshold)
    {
        var hidden = scratch.Hidden.AsSpan(0, Dimension);
        hidden.Clear();
        var count = SumRows(text, scratch, hidden);
        if (count == 0)
        {
            scratch.Best.Start(k);
            return;
        }
        var factor = (float)(1.0 / count);
        foreach (ref var value in hidden)
            value *= factor;
        _layer.Predict(scratch, k, threshold);
    }

    // The text has a byte to spare at both ends; "</s>" closes it, written or not.
    private long SumRows(Span<byte> text, PredictionScratch scratch, Span<float> hidden)
    {
        var (rows, hashes) = (scratch.Rows, scratch.Hashes);
        rows.Clear();
        hashes.Clear();
        var scanner = new TokenScanner(text);
        var usesNgrams = _dictionary.WordNgrams > 1;
        long count = 0;
        var isOpen = true;
        while (isOpen && scanner.Next())
        {
            var token = text[scanner.Start..scanner.End];
            isOpen = !token.SequenceEqual(TokenScanner.EndOfLine);
            var id = _dictionary.Find(token, scanner.Hash);
            if (id >= _dictionary.WordCount || (id < 0 && token.StartsWith(FastTextTrainingSettings.LabelPrefixUtf8)))
                continue;
            if (usesNgrams)
                hashes.Add((int)scanner.Hash);
            _dictionary.AddRows(text, scanner.Start, scanner.End, id, rows);
            if (rows.Count >= RowsPerSum)
                count += Flush(rows, hidden);
        }
        if (isOpen)
        {
            var hash = TokenScanner.HashOf(TokenScanner.EndOfLine);
            var id = _dictionary.Find(TokenScanner.EndOfLine, hash);
            if (usesNgrams)
                hashes.Add((int)hash);
            if (id >= 0 && id < _dictionary.WordCount)
                rows.Add(id);
        }
        if (usesNgrams)
            _dictionary.AddWordNgrams(hashes.Span, rows);
        return count + Flush(rows, hidden);
    }

    private int Flush(RowList rows, Span<float> hidden)
    {
        var count = rows.Count;
        _input.Kernel.Add(rows.Span, hidden);
        rows.Clear();
        return count;
    }
}

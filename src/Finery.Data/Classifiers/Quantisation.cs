namespace Finery.Data.Classifiers;

/// <summary>Makes the matrices of a model small.</summary>
internal static class Quantisation
{
    /// <summary>Keeps the longest vectors of the input matrix, and always the one that ends a line.</summary>
    public static (ModelDictionary Dictionary, float[] Input) Prune(FastTextModel model, int cutoff)
    {
        var (dictionary, values, dimension) = (model.Dictionary, model.Input.Values!, model.Dimension);
        var endOfLine = dictionary.Find(TokenScanner.EndOfLine, TokenScanner.HashOf(TokenScanner.EndOfLine));
        var norms = Norms(values, dimension);
        if (endOfLine >= 0)
            norms[endOfLine] = float.PositiveInfinity;
        int[] kept = [.. Enumerable.Range(0, norms.Length).OrderByDescending(row => norms[row]).Take(cutoff)];
        int[] rows =
            [.. kept.Where(row => row < dictionary.WordCount).Order(), .. kept.Where(row => row >= dictionary.WordCount)];
        var input = new float[rows.Length * dimension];
        for (var i = 0; i < rows.Length; i++)
            values.AsSpan(rows[i] * dimension, dimension).CopyTo(input.AsSpan(i * dimension));
        return (dictionary.Prune(model.Arguments, rows), input);
    }

    /// <summary>Quantises a matrix.</summary>
    /// <param name="values">Its rows.</param>
    /// <param name="dimension">Their length.</param>
    /// <param name="partSize">Components that share a byte.</param>
    /// <param name="separatesNorms">Whether lengths are quantised apart from directions.</param>
    /// <param name="seed">Of the choice of centroids.</param>
    public static ModelMatrix Quantise(float[] values, int dimension, int partSize, bool separatesNorms, int seed)
    {
        var rows = values.Length / dimension;
        if (partSize < 1 || partSize > dimension)
            throw new InvalidDataException($"Parts of {partSize} do not fit vectors of {dimension}.");
        if (!separatesNorms)
            return Make(values, null, null);
        var norms = Norms(values, dimension);
        float[] directions = [.. values];
        for (var row = 0; row < rows; row++)
            foreach (ref var value in directions.AsSpan(row * dimension, dimension))
                value = norms[row] == 0 ? value : value / norms[row];
        var (normQuantiser, normCodes) = CentroidTraining.Quantise(norms, 1, 1, seed);
        return Make(directions, normQuantiser, normCodes);

        ModelMatrix Make(float[] source, ProductQuantiser? normQuantiser, byte[]? normCodes)
        {
            var (quantiser, codes) = CentroidTraining.Quantise(source, dimension, partSize, seed);
            return new(rows, dimension, codes, quantiser, normCodes, normQuantiser);
        }
    }

    private static float[] Norms(float[] values, int dimension)
    {
        var norms = new float[values.Length / dimension];
        for (var row = 0; row < norms.Length; row++)
        {
            var sum = 0.0;
            foreach (var value in values.AsSpan(row * dimension, dimension))
                sum += (double)value * value;
            norms[row] = (float)Math.Sqrt(sum);
        }
        return norms;
    }
}

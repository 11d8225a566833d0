using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Finery.Data.Classifiers;

/// <summary>From the mean of the rows of a text to the labels: the output matrix and the loss. Float operations and their order
/// are fastText's, so the results are equal to the last bit.</summary>
internal sealed class OutputLayer
{
    private const int MaxSigmoid = 8;
    private const int SigmoidSteps = 512;

    // The columns one after the other, so that the labels, whose sums do not depend on one another, fill the lanes of a vector.
    private readonly float[] _columns;
    private readonly float[]? _rowNorms;
    private readonly int _dimension;
    private readonly int _count;
    private readonly FastTextLoss _loss;
    private readonly HuffmanTree? _tree;

    /// <param name="matrix">A row a label, or an inner node of the tree.</param>
    /// <param name="loss">How scores become probabilities.</param>
    /// <param name="labelCounts">Counts of the labels, which shape the tree.</param>
    public OutputLayer(ModelMatrix matrix, FastTextLoss loss, ReadOnlySpan<long> labelCounts)
    {
        (_loss, _dimension, _count) = (loss, matrix.Columns, labelCounts.Length);
        if (loss == FastTextLoss.HierarchicalSoftmax)
            _tree = new HuffmanTree(labelCounts);
        var rows = matrix.Unpack(withNorms: false);
        _rowNorms = matrix.Norms;
        _columns = new float[rows.Length];
        if (_tree is not null)
            rows.CopyTo(_columns);
        else
            for (var label = 0; label < _count; label++)
                for (var j = 0; j < _dimension; j++)
                    _columns[j * _count + label] = rows[label * _dimension + j];
    }

    /// <summary>1/(1+exp(-x)) at 513 points from -8 to 8.</summary>
    private static float[] SigmoidTable { get; } = MakeSigmoidTable();

    /// <summary>Collects the best labels, sorted, from the mean of the rows.</summary>
    /// <param name="scratch">Holds the mean, and receives the labels.</param>
    /// <param name="k">Most labels.</param>
    /// <param name="threshold">Least probability, before 1e-5 is added.</param>
    public void Predict(PredictionScratch scratch, int k, float threshold)
    {
        var hidden = scratch.Hidden.AsSpan(0, _dimension);
        scratch.Best.Start(k);
        if (_tree is not null)
            Descend(hidden, threshold, scratch);
        else
        {
            var output = scratch.Output.AsSpan(0, _count);
            Multiply(hidden, output);
            if (_loss == FastTextLoss.Softmax)
                Softmax(output);
            else
                foreach (ref var value in output)
                    value = Sigmoid(value);
            scratch.Best.AddOutputs(output, threshold);
        }
        scratch.Best.Sort();
    }

    /// <summary>The table's value; 0 and 1 outside of it.</summary>
    public static float Sigmoid(float x) => x switch
    {
        < -MaxSigmoid => 0,
        > MaxSigmoid => 1,
        _ => SigmoidTable[(int)((x + MaxSigmoid) * SigmoidSteps / MaxSigmoid / 2)],
    };

    private static float[] MakeSigmoidTable()
    {
        var table = new float[SigmoidSteps + 1];
        for (var i = 0; i < table.Length; i++)
            table[i] = (float)(1.0 / (1.0 + MathF.Exp(-((float)(i * 2 * MaxSigmoid) / SigmoidSteps - MaxSigmoid))));
        return table;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Multiply(ReadOnlySpan<float> hidden, Span<float> output)
    {
        ref var columns = ref MemoryMarshal.GetArrayDataReference(_columns);
        ref var target = ref MemoryMarshal.GetReference(output);
        var label = 0;
        for (; label + 16 <= _count; label += 16)
        {
            var (a, b) = (Vector256<float>.Zero, Vector256<float>.Zero);
            for (var j = 0; j < hidden.Length; j++)
            {
                ref var source = ref Unsafe.Add(ref columns, (nint)j * _count + label);
                var h = Vector256.Create(hidden[j]);
                // Rounded twice, like fastText's: no fused multiply-add.
                a += Vector256.LoadUnsafe(ref source) * h;
                b += Vector256.LoadUnsafe(ref source, 8) * h;
            }
            a.StoreUnsafe(ref target, (nuint)label);
            b.StoreUnsafe(ref target, (nuint)label + 8);
        }
        for (; label + 4 <= _count; label += 4)
        {
            var a = Vector128<float>.Zero;
            for (var j = 0; j < hidden.Length; j++)
                a += Vector128.LoadUnsafe(ref Unsafe.Add(ref columns, (nint)j * _count + label)) * Vector128.Create(hidden[j]);
            a.StoreUnsafe(ref target, (nuint)label);
        }
        for (; label < _count; label++)
        {
            var sum = 0f;
            for (var j = 0; j < hidden.Length; j++)
                sum += Unsafe.Add(ref columns, (nint)j * _count + label) * hidden[j];
            output[label] = sum;
        }
        if (_rowNorms is not null)
            for (label = 0; label < _count; label++)
                output[label] *= _rowNorms[label];
    }

    private static void Softmax(Span<float> output)
    {
        var max = output[0];
        foreach (var value in output)
            max = value > max ? value : max;
        var sum = 0f;
        foreach (ref var value in output)
        {
            value = (float)Math.Exp((double)(value - max));
            sum += value;
        }
        foreach (ref var value in output)
            value /= sum;
    }

    // Depth first, left before right. The path of a damaged model's tree may be as long as there are labels: no recursion.
    private void Descend(ReadOnlySpan<float> hidden, float threshold, PredictionScratch scratch)
    {
        var (best, pending) = (scratch.Best, scratch.Pending);
        pending.Clear();
        var least = BestPredictions.Log(threshold);
        pending.Push((2 * _count - 2, 0));
        while (pending.TryPop(out var place))
        {
            if (place.Score < least || best.IsTooLow(place.Score))
                continue;
            if (place.Node < _count)
            {
                best.Add(place.Score, place.Node);
                continue;
            }
            var node = place.Node - _count;
            var right = (float)(1.0 / (1 + MathF.Exp(-Dot(hidden, node))));
            var (leftChild, rightChild) = _tree!.Children[node];
            pending.Push((rightChild, place.Score + BestPredictions.Log(right)));
            pending.Push((leftChild, place.Score + BestPredictions.Log((float)(1.0 - right))));
        }
    }

    private float Dot(ReadOnlySpan<float> hidden, int row)
    {
        var values = _columns.AsSpan(row * _dimension, _dimension);
        var sum = 0f;
        for (var j = 0; j < values.Length; j++)
            sum += values[j] * hidden[j];
        return _rowNorms is null ? sum : sum * _rowNorms[row];
    }
}

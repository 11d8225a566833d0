using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Finery.Data.Classifiers;

/// <summary>One thread's stochastic gradient descent on matrices it may share with others.</summary>
internal sealed class GradientStep
{
    private readonly int _dimension;
    private readonly int _labelCount;
    private readonly FastTextLoss _loss;
    private readonly int _negativeCount;
    private readonly DenseRows _inputRows;
    private readonly float[] _input;
    private readonly float[] _output;
    private readonly HuffmanTree? _tree;
    private readonly int[] _negatives;
    private readonly float[] _hidden;
    private readonly float[] _gradient;
    private readonly float[] _scores;
    private SplitMix64 _random;

    /// <param name="arguments">Loss and sizes.</param>
    /// <param name="input">A row for each word and bucket.</param>
    /// <param name="output">A row for each label.</param>
    /// <param name="shared">What all threads look up.</param>
    /// <param name="seed">Of this thread.</param>
    public GradientStep(ModelArguments arguments, float[] input, float[] output, LabelSampling shared, ulong seed)
    {
        (_dimension, _loss, _negativeCount) = (arguments.Dimension, arguments.Loss, arguments.Negatives);
        (_input, _output, _tree, _negatives) = (input, output, shared.Tree, shared.Negatives);
        _labelCount = output.Length / _dimension;
        _inputRows = new DenseRows(input, _dimension);
        _hidden = new float[_dimension];
        _gradient = new float[_dimension];
        _scores = new float[(_labelCount + 7) / 8 * 8];
        _random = new SplitMix64(seed);
    }

    /// <summary>Learns from one example.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Learn(ReadOnlySpan<int> rows, ReadOnlySpan<int> labels, float rate)
    {
        if (rows.Length == 0 || labels.Length == 0)
            return;
        Array.Clear(_hidden);
        _inputRows.Add(rows, _hidden);
        var factor = 1f / rows.Length;
        foreach (ref var value in _hidden.AsSpan())
            value *= factor;
        Array.Clear(_gradient);
        var label = _loss == FastTextLoss.OneVsAll || labels.Length == 1 ? labels[0] : labels[_random.Below(labels.Length)];
        switch (_loss)
        {
            case FastTextLoss.Softmax:
                LearnSoftmax(label, rate);
                break;
            case FastTextLoss.HierarchicalSoftmax:
                for (var node = label; _tree!.Parent(node) >= 0; node = _tree.Parent(node))
                    LearnBinary(_tree.Parent(node) - _labelCount, _tree.IsRight(node), rate);
                break;
            case FastTextLoss.OneVsAll:
                for (var other = 0; other < _labelCount; other++)
                    LearnBinary(other, labels.Contains(other), rate);
                break;
            default:
                LearnAgainstSome(label, rate);
                break;
        }
        foreach (ref var value in _gradient.AsSpan())
            value *= factor;
        ref var gradient = ref MemoryMarshal.GetArrayDataReference(_gradient);
        ref var input = ref MemoryMarshal.GetArrayDataReference(_input);
        foreach (var row in rows)
            FloatVectors.AddScaled(ref Unsafe.Add(ref input, (nint)row * _dimension), ref gradient, 1f, _dimension);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void LearnSoftmax(int target, float rate)
    {
        ref var hidden = ref MemoryMarshal.GetArrayDataReference(_hidden);
        ref var gradient = ref MemoryMarshal.GetArrayDataReference(_gradient);
        ref var output = ref MemoryMarshal.GetArrayDataReference(_output);
        var scores = _scores;
        for (var label = 0; label < _labelCount; label++)
            scores[label] = FloatVectors.Dot(ref Unsafe.Add(ref output, (nint)label * _dimension), ref hidden, _dimension);
        scores.AsSpan(_labelCount).Fill(float.NegativeInfinity);
        FloatVectors.Softmax(scores);
        for (var label = 0; label < _labelCount; label++)
        {
            var step = rate * ((label == target ? 1f : 0f) - scores[label]);
            ref var row = ref Unsafe.Add(ref output, (nint)label * _dimension);
            FloatVectors.AddScaled(ref gradient, ref row, step, _dimension);
            FloatVectors.AddScaled(ref row, ref hidden, step, _dimension);
        }
    }

    private void LearnAgainstSome(int target, float rate)
    {
        LearnBinary(target, true, rate);
        // With a single label there is nothing to draw.
        for (var i = 0; i < _negativeCount && _labelCount > 1; i++)
        {
            int other;
            do
                other = _negatives[_random.Below(_negatives.Length)];
            while (other == target);
            LearnBinary(other, false, rate);
        }
    }

    private void LearnBinary(int row, bool isTrue, float rate)
    {
        ref var hidden = ref MemoryMarshal.GetArrayDataReference(_hidden);
        ref var weights = ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_output), (nint)row * _dimension);
        var score = OutputLayer.Sigmoid(FloatVectors.Dot(ref weights, ref hidden, _dimension));
        var step = rate * ((isTrue ? 1f : 0f) - score);
        FloatVectors.AddScaled(ref MemoryMarshal.GetArrayDataReference(_gradient), ref weights, step, _dimension);
        FloatVectors.AddScaled(ref weights, ref hidden, step, _dimension);
    }
}

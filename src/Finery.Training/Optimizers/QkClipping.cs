using Finery.Tensors;

namespace Finery.Training.Optimizers;

/// <summary>Applies QK-clip to all layers after an update, on what the optimizer holds as the exact weights, so that the next update
/// starts from the scaled ones. Without state of its own between steps.</summary>
public sealed class QkClipping
{
    private const string Projection = "qkv_proj.weight";

    private readonly Optimizer _optimizer;
    private readonly QkClipSettings _settings;
    private readonly AttentionShape _shape;
    private readonly int[] _projections;
    private readonly ulong[] _keys;
    private readonly int[] _clipped;

    /// <summary>Finds the fused query, key and value projections among the optimizer's parameters, a layer each in their order.</summary>
    /// <param name="optimizer">Whose weights and masters are scaled.</param>
    /// <param name="settings">Threshold and rule.</param>
    /// <param name="shape">Heads of every layer.</param>
    /// <param name="seed">Of stochastic rounding, where BF16 weights have no masters.</param>
    /// <exception cref="ArgumentException">A setting is impossible or a projection has another shape.</exception>
    public QkClipping(Optimizer optimizer, QkClipSettings settings, AttentionShape shape, ulong seed = 0)
    {
        (_optimizer, _settings, _shape) = (optimizer, settings, shape);
        var parameters = optimizer.Parameters;
        _projections = [.. Enumerable.Range(0, parameters.Count).Where(i => parameters[i].Name.EndsWith(Projection, StringComparison.Ordinal))];
        string[] errors =
        [
            .. settings.Validate().Select(fault => fault.Message + "."),
            .. _projections.Length == 0 ? ["No parameter is a projection to queries and keys."] : Array.Empty<string>(),
            .. _projections.Select(i => parameters[i]).Where(parameter => parameter.Weight.Rows != shape.QkvColumns)
                .Select(parameter => $"{parameter.Name} has {parameter.Weight.Rows} rows; the heads take {shape.QkvColumns}."),
        ];
        if (errors.Length > 0) throw new ArgumentException("QK-clip: " + string.Join(" ", errors));
        _keys = [.. _projections.Select(i => CounterRandom.Key(seed, "qkclip.rounding." + parameters[i].Name))];
        _clipped = new int[_projections.Length];
    }

    /// <summary>Heads of each layer that the last <see cref="Apply"/> found above the threshold.</summary>
    public IReadOnlyList<int> ClippedHeads => _clipped;

    /// <summary>Scales what exceeded the threshold in this step, directly after <see cref="Optimizer.Step"/>.</summary>
    /// <param name="kernels">Does the work.</param>
    /// <param name="maxLogits">[H] a layer: the largest of the step.</param>
    /// <returns>Heads above the threshold, of all layers.</returns>
    /// <exception cref="ArgumentException">There are not as many layers as projections.</exception>
    /// <exception cref="ArithmeticException">A logit is not finite; nothing was scaled.</exception>
    public int Apply(Kernels kernels, IReadOnlyList<Tensor> maxLogits)
    {
        if (maxLogits.Count != _projections.Length)
            throw new ArgumentException($"Logits of {maxLogits.Count} layers; expected {_projections.Length}.", nameof(maxLogits));
        for (int layer = 0; layer < _projections.Length; layer++)
        {
            var logits = maxLogits[layer].Floats;
            for (int head = 0; head < logits.Length; head++)
            {
                if (!float.IsFinite(logits[head]))
                    throw new ArithmeticException($"QK-clip: the largest attention logit of layer {layer}, head {head} is {logits[head]}.");
            }
        }
        int clipped = 0;
        for (int layer = 0; layer < _projections.Length; layer++)
        {
            int index = _projections[layer];
            var rounding = new StochasticRounding(CounterRandom.Bits(_keys[layer], (ulong)_optimizer.Updates));
            clipped += _clipped[layer] = kernels.QkClip(
                _optimizer.Parameters[index].Weight, _optimizer.MasterOf(index), maxLogits[layer], _shape, (float)_settings.Threshold,
                _settings.Rule, rounding);
        }
        return clipped;
    }
}

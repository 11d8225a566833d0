using Finery.Tensors;

namespace Finery.Training.Optimizers;

/// <summary>The largest attention logit of every head over the micro-batches of a step.</summary>
public sealed class MaxLogitTracker : IDisposable
{
    private readonly Arena _arena = new("max logits");
    private readonly Tensor[] _layers;

    /// <summary>Starts with nothing seen.</summary>
    /// <param name="layers">Layers with attention.</param>
    /// <param name="heads">H.</param>
    public MaxLogitTracker(int layers, int heads)
    {
        _layers = new Tensor[layers];
        for (int layer = 0; layer < layers; layer++) _layers[layer] = _arena.Floats($"layer {layer}", heads);
        Reset();
    }

    /// <summary>[H] a layer; negative infinity where nothing was seen since the last reset.</summary>
    public IReadOnlyList<Tensor> Layers => _layers;

    /// <summary>Takes in the logits of a micro-batch, after its forward pass. NaN stays NaN.</summary>
    /// <param name="maxLogits">[H] a layer, as <see cref="TrainingPass.MaxLogits"/>.</param>
    /// <exception cref="ArgumentException">Layers or heads are not as many as expected.</exception>
    public void Observe(IReadOnlyList<Tensor> maxLogits)
    {
        if (maxLogits.Count != _layers.Length)
            throw new ArgumentException($"Logits of {maxLogits.Count} layers; expected {_layers.Length}.", nameof(maxLogits));
        for (int layer = 0; layer < _layers.Length; layer++)
        {
            Span<float> seen = _layers[layer].Floats, now = maxLogits[layer].Floats;
            if (seen.Length != now.Length)
                throw new ArgumentException($"Layer {layer} has logits of {now.Length} heads; expected {seen.Length}.", nameof(maxLogits));
            for (int head = 0; head < seen.Length; head++) seen[head] = Math.Max(seen[head], now[head]);
        }
    }

    /// <summary>Forgets what was seen: before every step.</summary>
    public void Reset()
    {
        foreach (var layer in _layers) layer.Floats.Fill(float.NegativeInfinity);
    }

    /// <summary>Releases the memory.</summary>
    public void Dispose() => _arena.Dispose();
}

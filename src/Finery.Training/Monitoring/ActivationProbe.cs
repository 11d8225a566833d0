using Finery.Data.Batches;
using Finery.Models;
using Finery.Models.Llama;
using Finery.Models.Weights;
using Finery.Tensors;

namespace Finery.Training.Monitoring;

/// <summary>
/// Looks at the activations of a fixed small batch, layer by layer, in a forward pass of its own: sizes over all tokens, what compares
/// tokens or times over a sample spread over them. What it remembers (activations at the start and at the last measurement, when each
/// unit was last alive) is in tensors, for a checkpoint.
/// </summary>
internal sealed class ActivationProbe : ITapeObserver, IDisposable
{
    private static readonly string[] LayerSeries =
    [
        "residual_rms", "block_rms", "max_activation", "attention_entropy_mean", "attention_entropy_min", "dead_units", "effective_rank",
        "stable_rank", "participation_ratio", "mean_cosine", "moved", "moved_since_start",
    ];

    // Exponentials of a vocabulary cost as much as the rest of a small model's measurement.
    private const int MostLogitRows = 16;

    private readonly Arena _arena = new("probe");
    private readonly LlamaModel _model;
    private readonly MonitoringSettings _settings;
    private readonly ModelInputs _inputs;
    private readonly Tape _tape, _headTape;
    private readonly Tensor _hidden, _last, _logits;
    private readonly Tensor _start, _previous, _alive, _counts;
    private readonly int _samples, _width;
    private readonly int[] _rows;
    private readonly float[][] _streams;
    private readonly float[] _wide;
    private readonly float[] _query, _key;
    private readonly double[] _scores;
    private readonly double[] _values;
    private readonly SampleSpectrum _spectrum;
    private int _norms, _attentions, _gates;

    /// <summary>Records the passes on the first rows of a batch.</summary>
    public ActivationProbe(Kernels kernels, LlamaModel model, MonitoringSettings settings, PackedBatch batch)
    {
        (_model, _settings) = (model, settings);
        int tokens = Math.Min(settings.ProbeRows, batch.Rows) * batch.Length, layers = model.Config.LayerCount;
        (_samples, _width) = (Math.Min(settings.SampleTokens, tokens), model.Config.EmbeddingSize);
        _inputs = new(_arena, tokens);
        _inputs.Load(batch.Ids, batch.Positions, batch.Starts, 0);
        _tape = new(kernels, _arena, gradients: false, activations: model.WeightType);
        _hidden = model.Hidden(_tape, _inputs);
        _tape.Plan();
        _last = _arena.Allocate("sampled", _hidden.Type, Math.Min(_samples, MostLogitRows), _width);
        _headTape = new(kernels, _arena, gradients: false);
        _logits = model.Logits(_headTape, _last);
        _headTape.Plan();

        int remembered = (layers + 1) * _samples;
        _start = _arena.Floats("monitor.start", remembered, _width);
        _previous = _arena.Floats("monitor.previous", remembered, _width);
        _alive = _arena.Floats("monitor.alive", layers, model.Config.FeedForwardSize);
        _counts = _arena.Floats("monitor.measurements", 1);
        State = [.. new[] { _start, _previous, _alive, _counts }.Select(tensor => new NamedTensor(tensor.Name, tensor))];

        _rows = [.. Enumerable.Range(0, _samples).Select(i => (int)((long)i * tokens / _samples))];
        _streams = [.. Enumerable.Range(0, layers + 1).Select(_ => new float[_samples * _width])];
        _wide = new float[Math.Max(_width, Math.Max(model.Config.FeedForwardSize, model.Config.VocabSize))];
        (_query, _key) = (new float[model.Config.HeadSize], new float[model.Config.HeadSize]);
        _scores = new double[tokens];
        _spectrum = new(_samples, _width);
        Names = [.. Enumerable.Range(0, layers).SelectMany(layer => LayerSeries.Select(series => $"monitor/layer{layer}/{series}")), "monitor/logz_mean"];
        _values = new double[Names.Count];
    }

    /// <summary>Names of what <see cref="Write"/> writes.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>What must be restored for the same measurements after an interruption.</summary>
    public IReadOnlyList<NamedTensor> State { get; }

    /// <summary>Whether what the model was like at the start is known.</summary>
    public bool HasStart => _counts.Floats[0] > 0;

    /// <summary>Activations of the residual stream that were not finite in the last measurement.</summary>
    public long NonFinite { get; private set; }

    /// <summary>Index of a layer's series among <see cref="Names"/>.</summary>
    public static int SeriesOf(int layer, string name) => layer * LayerSeries.Length + Array.IndexOf(LayerSeries, name);

    /// <summary>Measures; the first time also what later activations are compared with.</summary>
    public void Run()
    {
        (_norms, _attentions, _gates, NonFinite) = (0, 0, 0, 0);
        bool first = !HasStart;
        _counts.Floats[0]++;
        _tape.ForwardObserved(this);
        for (int layer = 0; layer < _model.Config.LayerCount; layer++) Compare(layer, first);
        for (int i = 0; i < _streams.Length; i++)
        {
            var stream = _streams[i].AsSpan();
            if (first) stream.CopyTo(Remembered(_start, i));
            stream.CopyTo(Remembered(_previous, i));
        }
        _values[^1] = MeanLogZ();
    }

    /// <summary>Writes the values of <see cref="Names"/>.</summary>
    public void Write(Span<(string Name, double Value)> values)
    {
        for (int i = 0; i < _values.Length; i++) values[i].Value = _values[i];
    }

    void ITapeObserver.After(string op, IReadOnlyList<Tensor?> reads, IReadOnlyList<Tensor?> writes)
    {
        // Norms read the stream as it enters a layer, and as it is between its two blocks.
        if (op == "RmsNorm" && _norms++ % 2 == 0) LookAtStream(_norms / 2, reads[0]!);
        else if (op == "Attention") LookAtAttention(_attentions++, reads[0]!);
        else if (op == "SwiGlu") LookAtGates(_gates++, reads[0]!);
    }

    public void Dispose() => _arena.Dispose();

    private ref double Value(int layer, string name) => ref _values[SeriesOf(layer, name)];

    private Span<float> Remembered(Tensor tensor, int stream) => tensor.Floats.Slice(stream * _samples * _width, _samples * _width);

    /// <summary>The stream that enters layer <paramref name="index"/>, which layer index - 1 left.</summary>
    private void LookAtStream(int index, Tensor stream)
    {
        if (index >= _streams.Length) return;
        for (int i = 0; i < _samples; i++)
            WideFloats.Read(stream, _rows[i], 0, _streams[index].AsSpan(i * _width, _width));
        if (index == 0) return;
        double squares = 0;
        float largest = 0;
        long lost = 0;
        foreach (float x in stream.Floats)
        {
            squares += (double)x * x;
            largest = Math.Max(largest, Math.Abs(x));
            lost += float.IsFinite(x) ? 0 : 1;
        }
        bool finite = lost == 0;
        NonFinite += lost;
        Value(index - 1, "residual_rms") = finite ? Math.Sqrt(squares / stream.Length) : double.NaN;
        Value(index - 1, "max_activation") = finite ? largest : double.NaN;
    }

    /// <summary>Entropy <c>-sum p ln p</c> of the sampled queries: <c>ln Z - sum p s</c> over the scores s.</summary>
    private void LookAtAttention(int layer, Tensor qkv)
    {
        var shape = _model.Config.Attention;
        double scale = shape.Scale > 0 ? shape.Scale : 1 / Math.Sqrt(shape.HeadSize), total = 0, least = double.PositiveInfinity;
        for (int head = 0; head < shape.HeadCount; head++)
        {
            int keys = (shape.HeadCount + head / (shape.HeadCount / shape.KvHeadCount)) * shape.HeadSize;
            double entropy = 0;
            foreach (int row in _rows)
            {
                int start = _inputs.Starts.Integers[row];
                WideFloats.Read(qkv, row, head * shape.HeadSize, _query);
                for (int t = start; t <= row; t++)
                {
                    WideFloats.Read(qkv, t, keys, _key);
                    float dot = 0;
                    for (int c = 0; c < _key.Length; c++) dot += _query[c] * _key[c];
                    double score = dot * scale;
                    _scores[t - start] = shape.Softcap > 0 ? shape.Softcap * Math.Tanh(score / shape.Softcap) : score;
                }
                entropy += Entropy(_scores.AsSpan(0, row - start + 1));
            }
            entropy /= _rows.Length;
            total += entropy;
            least = Math.Min(least, entropy);
        }
        Value(layer, "attention_entropy_mean") = total / shape.HeadCount;
        Value(layer, "attention_entropy_min") = least;
    }

    private static double Entropy(ReadOnlySpan<double> scores)
    {
        double largest = double.NegativeInfinity, sum = 0, weighted = 0;
        foreach (double score in scores) largest = Math.Max(largest, score);
        foreach (double score in scores)
        {
            double e = Math.Exp(score - largest);
            sum += e;
            weighted += e * (score - largest);
        }
        return Math.Log(sum) - weighted / sum;
    }

    private void LookAtGates(int layer, Tensor gateUp)
    {
        int units = gateUp.Columns / 2;
        float now = _counts.Floats[0];
        var alive = _alive.Floats.Slice(layer * units, units);
        var gates = _wide.AsSpan(0, units);
        for (int row = 0; row < gateUp.Rows; row++)
        {
            WideFloats.Read(gateUp, row, 0, gates);
            for (int unit = 0; unit < units; unit++)
            {
                if (gates[unit] > 0) alive[unit] = now;
            }
        }
        int dead = 0;
        foreach (float last in alive) dead += last <= now - _settings.DeadWindow ? 1 : 0;
        Value(layer, "dead_units") = dead / (double)units;
    }

    private void Compare(int layer, bool first)
    {
        ReadOnlySpan<float> before = _streams[layer], after = _streams[layer + 1];
        Value(layer, "block_rms") = Math.Sqrt(SquaredDistance(after, before) / after.Length);
        var ranks = _spectrum.Ranks(after);
        Value(layer, "effective_rank") = ranks.Effective;
        Value(layer, "stable_rank") = ranks.Stable;
        Value(layer, "participation_ratio") = ranks.Participation;
        Value(layer, "mean_cosine") = _spectrum.MeanCosine(after);
        Value(layer, "moved") = first ? 0 : Movement(after, Remembered(_previous, layer + 1));
        Value(layer, "moved_since_start") = first ? 0 : Movement(after, Remembered(_start, layer + 1));
    }

    private static double Movement(ReadOnlySpan<float> now, ReadOnlySpan<float> then)
    {
        double squares = 0;
        foreach (float x in then) squares += (double)x * x;
        return Math.Sqrt(SquaredDistance(now, then) / squares);
    }

    private static double SquaredDistance(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++)
        {
            double difference = (double)a[i] - b[i];
            sum += difference * difference;
        }
        return sum;
    }

    private double MeanLogZ()
    {
        int bytes = _width * (_hidden.Type == DType.BF16 ? sizeof(ushort) : sizeof(float));
        for (int i = 0; i < _last.Rows; i++)
            _hidden.Bytes.Slice(_rows[i * _samples / _last.Rows] * bytes, bytes).CopyTo(_last.Bytes[(i * bytes)..]);
        _headTape.Forward();
        double total = 0;
        for (int i = 0; i < _last.Rows; i++)
        {
            var row = _wide.AsSpan(0, _logits.Columns);
            WideFloats.Read(_logits, i, 0, row);
            float largest = float.NegativeInfinity;
            foreach (float x in row) largest = Math.Max(largest, x);
            double sum = 0;
            foreach (float x in row) sum += MathF.Exp(x - largest);
            total += largest + Math.Log(sum);
        }
        return total / _last.Rows;
    }
}

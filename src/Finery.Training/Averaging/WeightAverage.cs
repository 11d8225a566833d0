using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Numerics;
using System.Runtime.InteropServices;
using Finery.Models;
using Finery.Models.Weights;
using Finery.Tensors;

namespace Finery.Training.Averaging;

/// <summary>How past weights count.</summary>
public enum AverageKind
{
    /// <summary>Exponentially less the older they are.</summary>
    Exponential,

    /// <summary>All alike: Polyak's mean of the end of a run, as Llama 3 takes of its annealing.</summary>
    Uniform,
}

/// <summary>Settings of <see cref="WeightAverage"/>.</summary>
public sealed record WeightAverageSettings
{
    /// <summary>How past weights count.</summary>
    [Description("how past weights count: exponential or uniform")]
    public AverageKind Kind { get; init; } = AverageKind.Exponential;

    /// <summary>Weight of the past at each update, of an exponential average.</summary>
    [Description("weight of the past at each update of an exponential average"), Range(0.0, 1.0, MaximumIsExclusive = true)]
    public double Decay { get; init; } = 0.999;

    /// <summary>First step after which weights are taken.</summary>
    [Description("first step after which weights are averaged"), Range(0L, long.MaxValue)]
    public long FromStep { get; init; }

    /// <summary>The same as a share of the run, in place of <see cref="FromStep"/>.</summary>
    [Description("the same as a share of the run"), Range(0.0, 1.0)]
    public double? FromShare { get; init; }

    /// <summary>Steps between updates.</summary>
    [Description("steps between updates of the average"), Range(1, 1 << 20)]
    public int EverySteps { get; init; } = 1;
}

/// <summary>
/// A running average of a model's weights, in F32 whatever their type: exponential <c>a += (1 - decay) (w - a)</c>, or the uniform mean
/// <c>a += (w - a) / n</c> of all taken. It begins as the first weights taken. With <see cref="State"/> in the checkpoint a resumed run
/// averages as the uninterrupted one: no window is ever partial.
/// </summary>
public sealed class WeightAverage : IDisposable
{
    private readonly WeightAverageSettings _settings;
    private readonly IReadOnlyList<Parameter> _parameters;
    private readonly long _from;
    private readonly Arena _arena = new("average");
    private readonly Tensor[] _averages;
    private readonly Tensor _count;
    private readonly float[] _wide = new float[4096];

    /// <summary>Allocates zeros.</summary>
    /// <param name="parameters">Averaged as the model sees them.</param>
    /// <param name="settings">How.</param>
    /// <param name="steps">Length of the run.</param>
    public WeightAverage(IReadOnlyList<Parameter> parameters, WeightAverageSettings settings, long steps = 0)
    {
        (_parameters, _settings) = (parameters, settings);
        _from = settings.FromShare is { } share ? (long)(share * steps) : settings.FromStep;
        _averages = [.. parameters.Select(parameter => _arena.Floats("average." + parameter.Name, parameter.Weight.Shape))];
        _count = _arena.Integers("average.count", 1);
        State = [.. _averages.Append(_count).Select(tensor => new NamedTensor(tensor.Name, tensor))];
    }

    /// <summary>State to be kept in a checkpoint.</summary>
    public IReadOnlyList<NamedTensor> State { get; }

    /// <summary>Weights taken so far.</summary>
    public int Count => _count.Integers[0];

    /// <summary>Bytes of the average.</summary>
    public long Bytes => _arena.Bytes;

    /// <summary>Takes the weights after a step, where it is due.</summary>
    /// <param name="step">The step done, from 0.</param>
    public void Update(long step)
    {
        if (step < _from || (step - _from) % _settings.EverySteps != 0) return;
        int count = ++_count.Integers[0];
        float share = count == 1 ? 1 : (float)(_settings.Kind == AverageKind.Uniform ? 1.0 / count : 1 - _settings.Decay);
        for (int i = 0; i < _averages.Length; i++)
        {
            var weight = _parameters[i].Weight;
            if (weight.Type == DType.BF16) AddNarrow(weight.BFloat16s, _averages[i].Floats, share);
            else Add(weight.Floats, _averages[i].Floats, share);
        }
    }

    /// <summary>Writes the average into the parameters of a model of the same shape, rounded to nearest even where they are narrower.</summary>
    /// <exception cref="InvalidOperationException">No weights were taken yet.</exception>
    /// <exception cref="ArgumentException">The parameters are others; the message names the first.</exception>
    public void CopyTo(IReadOnlyList<Parameter> parameters)
    {
        if (Count == 0) throw new InvalidOperationException("No weights are averaged yet.");
        if (parameters.Count != _parameters.Count)
            throw new ArgumentException($"{parameters.Count} parameters; the average has {_parameters.Count}.", nameof(parameters));
        for (int i = 0; i < _averages.Length; i++)
        {
            if (parameters[i].Name != _parameters[i].Name || !parameters[i].Weight.Shape.SequenceEqual(_averages[i].Shape))
                throw new ArgumentException($"{parameters[i].Weight} is not {_parameters[i].Weight}.", nameof(parameters));
        }
        for (int i = 0; i < _averages.Length; i++)
        {
            var weight = parameters[i].Weight;
            if (weight.Type == DType.BF16) StoredFloats.Round(_averages[i].Floats, weight.BFloat16s);
            else _averages[i].Floats.CopyTo(weight.Floats);
        }
    }

    /// <summary>Frees the average.</summary>
    public void Dispose() => _arena.Dispose();

    private void AddNarrow(ReadOnlySpan<BFloat16> weights, Span<float> average, float share)
    {
        for (int start = 0; start < weights.Length; start += _wide.Length)
        {
            var part = weights.Slice(start, Math.Min(_wide.Length, weights.Length - start));
            StoredFloats.WidenBFloat16(MemoryMarshal.AsBytes(part), _wide.AsSpan(0, part.Length));
            Add(_wide.AsSpan(0, part.Length), average.Slice(start, part.Length), share);
        }
    }

    private static void Add(ReadOnlySpan<float> weights, Span<float> average, float share)
    {
        // A product and a sum, never fused: each element has the same bits at every width.
        var wide = MemoryMarshal.Cast<float, Vector<float>>(weights);
        var averages = MemoryMarshal.Cast<float, Vector<float>>(average);
        for (int i = 0; i < wide.Length; i++) averages[i] += (wide[i] - averages[i]) * share;
        for (int i = wide.Length * Vector<float>.Count; i < average.Length; i++) average[i] += (weights[i] - average[i]) * share;
    }
}

using System.Globalization;
using Finery.Models;

namespace Finery.Training.Optimizers;

/// <summary>Clips the gradients of one step after another, by what it has seen so far.</summary>
public abstract class GradientClipper
{
    /// <summary>Global norm after clipping of the last step.</summary>
    public double ClippedNorm { get; private set; }

    /// <summary>What it has seen, to be kept in a checkpoint to the last bit; empty where that does not matter.</summary>
    public virtual IReadOnlyDictionary<string, double> State => new Dictionary<string, double>();

    /// <summary>Continues from a <see cref="State"/>; entries of others are passed over.</summary>
    /// <exception cref="KeyNotFoundException">An entry is missing.</exception>
    public virtual void Restore(IReadOnlyDictionary<string, double> state)
    {
    }

    /// <summary>Factors on the gradients of a step that is to be done; a step that is skipped must not come here.</summary>
    /// <param name="norms">Of the step's gradients. What is returned may be used until the next call.</param>
    /// <param name="limitScale">Factor on the limit: below 1 clips more, as repair does after a divergence.</param>
    /// <exception cref="ArithmeticException">The norm is not finite; nothing has changed.</exception>
    public GradientScales Clip(GradientNorms norms, double limitScale = 1)
    {
        if (!double.IsFinite(norms.Global)) throw new ArithmeticException($"Clipping: the gradient norm is {norms.Global}; such a step is skipped.");
        var scales = Scales(norms, limitScale);
        double squares = 0;
        for (int i = 0; i < norms.Squares.Count; i++) squares += norms.Squares[i] * scales.Of(i) * scales.Of(i);
        ClippedNorm = Math.Sqrt(squares);
        return scales;
    }

    private protected abstract GradientScales Scales(GradientNorms norms, double limitScale);
}

internal sealed class GlobalNormClipper(double limit) : GradientClipper
{
    private protected override GradientScales Scales(GradientNorms norms, double limitScale) => (float)GradientClipping.Factor(norms.Global, limit * limitScale);
}

/// <summary>ZClip (arXiv 2504.02507): mean and variance follow the clipped norm, not what <see cref="ZClip.Norm"/> makes of it.</summary>
internal sealed class ZClipper(ZClip settings) : GradientClipper
{
    // Keeps z finite for norms without spread.
    private const double Epsilon = 1e-6;

    private readonly double[] _first = new double[settings.Warmup];
    private int _seen;
    private double _mean;
    private double _variance;

    public override IReadOnlyDictionary<string, double> State
    {
        get
        {
            var state = new Dictionary<string, double> { ["zclip.seen"] = _seen, ["zclip.mean"] = _mean, ["zclip.variance"] = _variance };
            for (int i = 0; i < _seen && _seen < _first.Length; i++) state[First(i)] = _first[i];
            return state;
        }
    }

    public override void Restore(IReadOnlyDictionary<string, double> state)
    {
        int seen = (int)state["zclip.seen"];
        for (int i = 0; i < seen && seen < _first.Length; i++) _first[i] = state[First(i)];
        (_seen, _mean, _variance) = (seen, state["zclip.mean"], state["zclip.variance"]);
    }

    private protected override GradientScales Scales(GradientNorms norms, double limitScale)
    {
        double norm = norms.Global, target = _seen < _first.Length ? Collect(norm) : Follow(norm);
        double limit = Math.Min(target, settings.Norm * limitScale);
        return limit < norm ? (float)GradientClipping.Factor(norm, limit) : 1;
    }

    private double Collect(double norm)
    {
        _first[_seen++] = norm;
        if (_seen < _first.Length) return norm;
        double sum = 0, squares = 0;
        foreach (double seen in _first) sum += seen;
        _mean = sum / _first.Length;
        foreach (double seen in _first) squares += (seen - _mean) * (seen - _mean);
        _variance = squares / _first.Length;
        return norm;
    }

    private double Follow(double norm)
    {
        double deviation = Math.Sqrt(_variance), z = (norm - _mean) / (deviation + Epsilon);
        double target = z > settings.ZThreshold ? _mean + settings.ZThreshold * deviation / (z / settings.ZThreshold) : norm;
        _mean = settings.Decay * _mean + (1 - settings.Decay) * target;
        _variance = settings.Decay * _variance + (1 - settings.Decay) * (target - _mean) * (target - _mean);
        return target;
    }

    private static string First(int i) => string.Create(CultureInfo.InvariantCulture, $"zclip.first.{i}");
}

internal sealed class AdaptiveClipper(AdaptiveClip settings, IReadOnlyList<Parameter> parameters) : GradientClipper
{
    // Zero where no gradient was seen yet.
    private readonly double[] _means = new double[parameters.Count];
    private readonly float[] _factors = new float[parameters.Count];

    public override IReadOnlyDictionary<string, double> State =>
        Enumerable.Range(0, _means.Length).ToDictionary(i => Key(parameters[i]), i => _means[i]);

    public override void Restore(IReadOnlyDictionary<string, double> state)
    {
        for (int i = 0; i < _means.Length; i++) _means[i] = state[Key(parameters[i])];
    }

    private protected override GradientScales Scales(GradientNorms norms, double limitScale)
    {
        for (int i = 0; i < _means.Length; i++)
        {
            double norm = Math.Sqrt(norms.Squares[i]), limit = settings.Multiple * _means[i];
            bool clips = _means[i] > 0 && norm > limit;
            _factors[i] = clips ? (float)GradientClipping.Factor(norm, limit) : 1;
            double kept = clips ? limit : norm;
            _means[i] = _means[i] > 0 ? settings.Decay * _means[i] + (1 - settings.Decay) * kept : kept;
        }
        return new(1, _factors);
    }

    private static string Key(Parameter parameter) => "clip.norm." + parameter.Name;
}

using System.Text.RegularExpressions;
using Finery.Models;
using Finery.Tensors;
using Finery.Training.Optimizers;

namespace Finery.Training.Monitoring;

/// <summary>
/// Norms and moments of weights, gradients and updates, by kind of parameter and by layer. An update is the difference of the weight that
/// the model sees before and after it, whatever the optimizer keeps beside it: one copy as large as the largest parameter is enough.
/// </summary>
internal sealed partial class ParameterWatch : IUpdateObserver, IDisposable
{
    private const int Block = 4096;

    private static readonly string[] Kinds = ["embedding", "qkv", "o", "gate_up", "down", "norms", "head", "other"];

    private static readonly string[] Norms = ["weight_norm", "gradient_norm", "update_norm", "update_ratio"];

    private static readonly string[] Statistics = ["mean", "std", "min", "max", "kurtosis", "zero_fraction"];

    private readonly Arena _arena = new("monitoring");
    private readonly Dictionary<string, Place> _places = new(StringComparer.Ordinal);
    private readonly Tensor _before;
    private readonly Group[] _groups;
    private readonly Moments _weights = new();
    private readonly Moments _gradients = new();
    private readonly float[] _old = new float[Block];
    private readonly float[] _new = new float[Block];

    /// <summary>A group: a kind of parameters, with statistics, or a layer.</summary>
    private sealed class Group(string name, bool hasStatistics)
    {
        public string Name => name;

        public Moments? Weights { get; } = hasStatistics ? new() : null;

        public Moments? Gradients { get; } = hasStatistics ? new() : null;

        public double WeightSquares, GradientSquares, UpdateSquares;

        public void Clear()
        {
            Weights?.Clear();
            Gradients?.Clear();
            (WeightSquares, GradientSquares, UpdateSquares) = (0, 0, 0);
        }
    }

    private readonly record struct Place(int Kind, int Layer);

    public ParameterWatch(IReadOnlyList<Parameter> parameters)
    {
        var groups = new List<Group>();
        int Index(string name, bool hasStatistics)
        {
            int index = groups.FindIndex(group => group.Name == name);
            if (index >= 0) return index;
            groups.Add(new(name, hasStatistics));
            return groups.Count - 1;
        }
        foreach (var parameter in parameters)
        {
            int kind = Index(KindOf(parameter.Name), hasStatistics: true);
            var layer = LayerNumber().Match(parameter.Name);
            _places.Add(parameter.Name, new(kind, layer.Success ? Index("layer" + layer.Groups[1].Value, hasStatistics: false) : -1));
        }
        _groups = [.. groups];
        long largest = parameters.Max(parameter => parameter.Weight.ByteLength);
        _before = _arena.Allocate("weight before its update", DType.U16, checked((int)((largest + 1) / sizeof(ushort))));
        var names = new List<string>();
        foreach (var group in _groups)
        {
            names.AddRange(Norms.Select(norm => $"monitor/{group.Name}/{norm}"));
            if (group.Weights is null) continue;
            names.AddRange(Statistics.Select(statistic => $"monitor/{group.Name}/weight_{statistic}"));
            names.AddRange(Statistics.Select(statistic => $"monitor/{group.Name}/gradient_{statistic}"));
        }
        Names = names;
    }

    /// <summary>Names of what <see cref="Write"/> writes.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>Whether updates are looked at now.</summary>
    public bool IsActive { get; set; }

    /// <summary>Values that were not finite since <see cref="Clear"/>.</summary>
    public long NonFinite { get; private set; }

    /// <summary>Begins a measurement.</summary>
    public void Clear()
    {
        foreach (var group in _groups) group.Clear();
        NonFinite = 0;
    }

    public void BeforeUpdate(Parameter p)
    {
        if (!IsActive || !_places.TryGetValue(p.Name, out var place)) return;
        p.Weight.Bytes.CopyTo(_before.Bytes);
        _gradients.Clear();
        _gradients.Add(p.Weight.Gradient!);
        Add(_groups[place.Kind]);
        if (place.Layer >= 0) Add(_groups[place.Layer]);

        void Add(Group group)
        {
            group.GradientSquares += _gradients.Squares;
            group.Gradients?.Add(_gradients);
        }
    }

    public void AfterUpdate(Parameter p)
    {
        if (!IsActive || !_places.TryGetValue(p.Name, out var place)) return;
        _weights.Clear();
        _weights.Add(p.Weight);
        double update = SquaredDistance(p.Weight);
        NonFinite += _weights.NonFinite + _gradients.NonFinite;
        Add(_groups[place.Kind]);
        if (place.Layer >= 0) Add(_groups[place.Layer]);

        void Add(Group group)
        {
            group.WeightSquares += _weights.Squares;
            group.UpdateSquares += update;
            group.Weights?.Add(_weights);
        }
    }

    /// <summary>Writes the values of <see cref="Names"/>; NaN where no update was seen.</summary>
    public void Write(Span<(string Name, double Value)> values)
    {
        int next = 0;
        foreach (var group in _groups)
        {
            bool seen = group.WeightSquares > 0;
            Set(values, seen ? Math.Sqrt(group.WeightSquares) : double.NaN);
            Set(values, seen ? Math.Sqrt(group.GradientSquares) : double.NaN);
            Set(values, seen ? Math.Sqrt(group.UpdateSquares) : double.NaN);
            Set(values, seen ? Math.Sqrt(group.UpdateSquares / group.WeightSquares) : double.NaN);
            if (group.Weights is null) continue;
            SetStatistics(values, group.Weights);
            SetStatistics(values, group.Gradients!);
        }

        void SetStatistics(Span<(string, double)> into, Moments moments)
        {
            bool any = moments.Count > 0;
            Set(into, moments.Mean);
            Set(into, moments.Deviation);
            Set(into, any ? moments.Min : double.NaN);
            Set(into, any ? moments.Max : double.NaN);
            Set(into, moments.Kurtosis);
            Set(into, moments.ZeroFraction);
        }

        void Set(Span<(string Name, double Value)> into, double value) => into[next++].Value = value;
    }

    public void Dispose() => _arena.Dispose();

    /// <summary>What a parameter is, by its name.</summary>
    private static string KindOf(string name)
    {
        bool Has(string part) => name.Contains(part, StringComparison.Ordinal);
        return Kinds[Has("embed_tokens") ? 0 : Has("qkv_proj") ? 1 : Has("o_proj") ? 2 : Has("gate_up_proj") ? 3 : Has("down_proj") ? 4
            : Has("norm") ? 5 : Has("lm_head") ? 6 : 7];
    }

    private double SquaredDistance(Tensor weight)
    {
        int size = weight.Type == DType.BF16 ? sizeof(ushort) : sizeof(float);
        Span<byte> before = _before.Bytes[..(int)weight.ByteLength], after = weight.Bytes;
        double sum = 0;
        for (int start = 0; start < after.Length; start += Block * size)
        {
            int bytes = Math.Min(Block * size, after.Length - start), count = bytes / size;
            Span<float> old = _old.AsSpan(0, count), fresh = _new.AsSpan(0, count);
            WideFloats.Read(before.Slice(start, bytes), weight.Type, old);
            WideFloats.Read(after.Slice(start, bytes), weight.Type, fresh);
            double even = 0, odd = 0;
            int i = 0;
            for (; i + 1 < count; i += 2)
            {
                double a = fresh[i] - (double)old[i], b = fresh[i + 1] - (double)old[i + 1];
                even += a * a;
                odd += b * b;
            }
            if (i < count) even += (fresh[i] - (double)old[i]) * (fresh[i] - (double)old[i]);
            sum += even + odd;
        }
        return sum;
    }

    [GeneratedRegex(@"layers\.(\d+)\.", RegexOptions.CultureInvariant)]
    private static partial Regex LayerNumber();
}

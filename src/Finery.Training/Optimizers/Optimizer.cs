using System.Globalization;
using Finery.Models;
using Finery.Models.Weights;
using Finery.Tensors;

namespace Finery.Training.Optimizers;

/// <summary>Turns accumulated gradients into an update of the parameters. Not calling <see cref="Step"/> skips a step altogether:
/// neither weights nor moments nor the counter move.</summary>
public abstract class Optimizer : IDisposable
{
    private readonly OptimizerSettings _settings;
    private readonly ParameterOptions[] _options;
    private readonly Masters _masters;
    private readonly ulong _seed;
    private readonly ulong[] _keys;

    /// <summary>Allocates masters equal to the weights.</summary>
    /// <param name="name">Lower case; begins the names of state tensors.</param>
    /// <param name="parameters">Trainable: each with a gradient.</param>
    /// <param name="settings">Checked here.</param>
    /// <param name="seed">Of stochastic rounding.</param>
    /// <exception cref="ArgumentException">A setting is impossible or a parameter has no gradient; the message lists every fault.</exception>
    private protected Optimizer(string name, IReadOnlyList<Parameter> parameters, OptimizerSettings settings, ulong seed)
    {
        string[] errors =
        [
            .. settings.Validate().Select(fault => fault.Message + "."),
            .. parameters.Where(parameter => parameter.Weight.Gradient is null).Select(parameter => $"{parameter.Name} has no gradient."),
        ];
        if (errors.Length > 0) throw new ArgumentException($"Optimizer {name}: {string.Join(" ", errors)}");
        (Parameters, _settings, _seed) = (parameters, settings, seed);
        _options = settings.Resolve(parameters);
        Arena = new(name);
        _masters = new(Arena, name, parameters, settings.Masters);
        _keys = [.. parameters.Select(parameter => CounterRandom.Key(seed, $"{name}.rounding.{parameter.Name}"))];
    }

    /// <summary>What is updated, in this order.</summary>
    public IReadOnlyList<Parameter> Parameters { get; }

    /// <summary>Updates done so far.</summary>
    public long Updates { get; set; }

    /// <summary>Told of every update of a parameter; null for nobody.</summary>
    public IUpdateObserver? Observer { get; set; }

    /// <summary>State to be kept in a checkpoint, by names that never change; contents may be overwritten to restore it.</summary>
    public IReadOnlyList<NamedTensor> State => field ??= [.. Moments, .. _masters.State];

    /// <summary>Every setting in words, part of a checkpoint's identity.</summary>
    public string Description => SettingsText.Of(_settings)
        + (_settings.Masters == MasterWeights.None && Parameters.Any(Masters.IsNarrow) ? string.Create(CultureInfo.InvariantCulture, $" seed={_seed}") : "");

    /// <summary>Moments and the like: state but for masters.</summary>
    private protected abstract IReadOnlyList<NamedTensor> Moments { get; }

    /// <summary>Holds all state.</summary>
    private protected Arena Arena { get; }

    /// <summary>Updates all parameters and leaves their gradients zero.</summary>
    /// <param name="kernels">Does the work.</param>
    /// <param name="learningRate">Of this step.</param>
    /// <param name="scales">Factors on gradients: clipping.</param>
    /// <exception cref="ArgumentException">There are factors for another number of parameters; nothing was updated.</exception>
    public void Step(Kernels kernels, double learningRate, GradientScales scales)
    {
        if (!scales.Each.IsEmpty && scales.Each.Length != Parameters.Count)
            throw new ArgumentException($"{scales.Each.Length} gradient factors for {Parameters.Count} parameters.", nameof(scales));
        long number = Updates + 1;
        for (int i = 0; i < Parameters.Count; i++)
        {
            var (parameter, options) = (Parameters[i], _options[i]);
            Observer?.BeforeUpdate(parameter);
            Update(kernels, i, new(
                number, learningRate * options.RateScale, options, scales.Of(i), _masters[i], CounterRandom.Bits(_keys[i], (ulong)number)));
            Observer?.AfterUpdate(parameter);
        }
        Updates = number;
    }

    /// <summary>Forgets all moments and counts from one again, as a stage with a fresh optimizer does; masters, which are the weights
    /// themselves, stay.</summary>
    public void Reset()
    {
        for (int i = 0; i < Moments.Count; i++) Moments[i].Tensor.Bytes.Clear();
        Updates = 0;
    }

    /// <summary>What is kept beside the BF16 weight of a parameter: its low half (U16) or its exact value (F32); null where the weight is
    /// all there is. Who changes a weight between two updates changes it there, or it is undone.</summary>
    public Tensor? MasterOf(int parameter) => _masters[parameter];

    /// <summary>Releases the state.</summary>
    public void Dispose()
    {
        Arena.Dispose();
        GC.SuppressFinalize(this);
    }

    private protected abstract void Update(Kernels kernels, int parameter, in ParameterUpdate update);
}

/// <summary>Scalars of the update of one parameter.</summary>
/// <param name="Number">Of the update, from 1.</param>
/// <param name="Rate">Learning rate, the group's scale included.</param>
/// <param name="Options">Decay and epsilon.</param>
/// <param name="GradientScale">Factor on the gradient.</param>
/// <param name="Master">Beside a BF16 weight.</param>
/// <param name="Key">Of stochastic rounding, new for every update and parameter.</param>
internal readonly record struct ParameterUpdate(
    long Number, double Rate, ParameterOptions Options, float GradientScale, Tensor? Master, ulong Key);

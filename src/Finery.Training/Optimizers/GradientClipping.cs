using Finery.Models;
using Finery.Tensors;

namespace Finery.Training.Optimizers;

/// <summary>L2 norms of gradients: of each parameter, and of all of them together.</summary>
public sealed class GradientNorms(IReadOnlyList<Parameter> parameters)
{
    private readonly double[] _squares = new double[parameters.Count];

    /// <summary>Whose gradients.</summary>
    public IReadOnlyList<Parameter> Parameters => parameters;

    /// <summary>Sum of squares of each parameter's gradient.</summary>
    public IReadOnlyList<double> Squares => _squares;

    /// <summary>Norm over all parameters.</summary>
    public double Global { get; private set; }

    /// <summary>Measures the gradients as they are: accumulated over the whole step, not yet clipped. The same bits for any number of
    /// threads; NaN and infinity propagate.</summary>
    public void Measure(Kernels kernels)
    {
        double sum = 0;
        for (int i = 0; i < _squares.Length; i++) sum += _squares[i] = kernels.SumOfSquares(parameters[i].Weight.Gradient!);
        Global = Math.Sqrt(sum);
    }
}

/// <summary>Clipping by the global norm of all gradients (pretraining reference 2.4).</summary>
public static class GradientClipping
{
    // Keeps the factor finite for a zero gradient (nanotron).
    private const double Epsilon = 1e-6;

    /// <summary>L2 norm over all parameters, in their order: the same bits for any number of threads. NaN and infinity propagate.</summary>
    public static double Norm(Kernels kernels, IReadOnlyList<Parameter> parameters)
    {
        var norms = new GradientNorms(parameters);
        norms.Measure(kernels);
        return norms.Global;
    }

    /// <summary>Factor on all gradients: <c>min(1, c / (norm + 1e-6))</c>.</summary>
    /// <param name="norm">Global norm.</param>
    /// <param name="limit">c; infinity never clips.</param>
    public static double Factor(double norm, double limit) => Math.Min(1, limit / (norm + Epsilon));

    /// <summary>Sets all gradients to zero: a skipped step leaves nothing behind.</summary>
    public static void Clear(IReadOnlyList<Parameter> parameters)
    {
        for (int i = 0; i < parameters.Count; i++) parameters[i].Weight.Gradient!.Floats.Clear();
    }
}

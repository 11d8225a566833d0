namespace Finery.Tensors;

/// <summary>Polynomial iterations that bring singular values near 1: <c>X = (a I + b A + c A A) X</c> with <c>A = X X^T</c> of the
/// smaller side.</summary>
public enum Orthogonalization
{
    /// <summary>Five equal steps, tuned for steepness at zero rather than for a limit: values from .0075 up come to .68-1.13 (Keller
    /// Jordan).</summary>
    Quintic,

    /// <summary>Five steps, each the best for the range that the one before leaves (Amsel et al. 2025, arXiv 2505.16932).</summary>
    PolarExpress,

    /// <summary>Twelve steps that converge to 1 exactly.</summary>
    Exact,
}

internal static class OrthogonalizationSteps
{
    private static readonly (double A, double B, double C)[] Quintic = [.. Enumerable.Repeat((3.4445, -4.7750, 2.0315), 5)];

    private static readonly (double A, double B, double C)[] Exact = [.. Enumerable.Repeat((2.0, -1.5, 0.5), 12)];

    private static readonly (double A, double B, double C)[] PolarExpress =
    [
        (8.156554524902461, -22.48329292557795, 15.878769915207462),
        (4.042929935166739, -2.808917465908714, 0.5000178451051316),
        (3.8916678022926607, -2.772484153217685, 0.5060648178503393),
        (3.285753657755655, -2.3681294933425376, 0.46449024233003106),
        (2.3465413258596377, -1.7097828382687081, 0.42323551169305323),
    ];

    /// <summary>Coefficients of the steps.</summary>
    public static ReadOnlySpan<(double A, double B, double C)> Steps(this Orthogonalization iteration) => iteration switch
    {
        Orthogonalization.PolarExpress => PolarExpress,
        Orthogonalization.Exact => Exact,
        _ => Quintic,
    };

    /// <summary>Factor on a matrix of Frobenius norm <paramref name="norm"/> that brings its singular values into the range of the steps.</summary>
    public static double Prescale(this Orthogonalization iteration, double norm) =>
        iteration == Orthogonalization.PolarExpress ? 1 / (1.02 * norm + 1e-6) : 1 / (norm + 1e-7);
}

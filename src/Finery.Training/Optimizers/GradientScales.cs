namespace Finery.Training.Optimizers;

/// <summary>Factors on gradients: one for all, and where tensors are clipped each by itself another for each.</summary>
/// <param name="All">Factor on all gradients.</param>
/// <param name="Each">Factor on each parameter's, in the order of the optimizer; empty for 1.</param>
public readonly record struct GradientScales(float All, ReadOnlyMemory<float> Each = default)
{
    /// <summary>Factor on the gradient of a parameter.</summary>
    public float Of(int parameter) => Each.IsEmpty ? All : All * Each.Span[parameter];

    /// <summary>One factor for all.</summary>
    public static implicit operator GradientScales(float all) => new(all);
}

using Finery.Models.Weights;
using Finery.Tensors;

namespace Finery.Training.Optimizers;

/// <summary>Turns accumulated gradients into an update of the parameters. Not calling <see cref="Step"/> skips a step altogether:
/// neither weights nor moments nor the counter move.</summary>
public abstract class Optimizer : IDisposable
{
    /// <summary>Updates done so far.</summary>
    public long Updates { get; set; }

    /// <summary>State to be kept in a checkpoint, by names that never change; contents may be overwritten to restore it.</summary>
    public abstract IReadOnlyList<NamedTensor> State { get; }

    /// <summary>Settings in words, part of a checkpoint's identity.</summary>
    public abstract string Description { get; }

    /// <summary>Updates all parameters and leaves their gradients zero.</summary>
    /// <param name="kernels">Does the work.</param>
    /// <param name="learningRate">Of this step.</param>
    /// <param name="gradientScale">Factor on all gradients: clipping.</param>
    public abstract void Step(Kernels kernels, double learningRate, float gradientScale);

    /// <summary>Releases the state.</summary>
    public abstract void Dispose();
}

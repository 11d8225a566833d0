using Finery.Models;

namespace Finery.Training.Optimizers;

/// <summary>Sees every parameter before and after its update: norms, sizes of updates.</summary>
public interface IUpdateObserver
{
    /// <summary>Called with weight and gradient as they are before the update; the gradient is not yet clipped.</summary>
    void BeforeUpdate(Parameter p);

    /// <summary>Called with the new weight; the gradient is zero.</summary>
    void AfterUpdate(Parameter p);
}

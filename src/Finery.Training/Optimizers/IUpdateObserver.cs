using Finery.Models;

namespace Finery.Training.Optimizers;

/// <summary>Sees each parameter right before and right after its update.</summary>
public interface IUpdateObserver
{
    /// <summary>The gradient is complete, the weight not yet changed.</summary>
    void BeforeUpdate(Parameter p);

    /// <summary>The weight is updated; its gradient may be cleared.</summary>
    void AfterUpdate(Parameter p);
}

namespace Finery.Tensors;

/// <summary>Sees a replay op by op, while what an op read and wrote is still in memory.</summary>
public interface ITapeObserver
{
    /// <summary>Called after an op of the forward pass has run. Nothing seen here may be changed, nor kept without a copy.</summary>
    /// <param name="op">Name of the op.</param>
    /// <param name="reads">What it read, null for what it was not given.</param>
    /// <param name="writes">What it wrote.</param>
    void After(string op, IReadOnlyList<Tensor?> reads, IReadOnlyList<Tensor?> writes);
}

public sealed partial class Tape
{
    /// <summary>Like <see cref="Forward"/>, but shows every op to <paramref name="observer"/>: activations that share memory, or are
    /// changed in place, can be looked at without keeping them.</summary>
    public void ForwardObserved(ITapeObserver observer)
    {
        Plan();
        foreach (var (operation, pass) in _forward)
        {
            operation.Run(_kernels!, pass);
            var uses = operation.UsesOf(pass);
            observer.After(operation.Name, uses.Reads, uses.Writes);
        }
    }
}

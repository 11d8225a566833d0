namespace Finery.Tensors;

public sealed partial class Tape
{
    /// <summary>Like <see cref="Forward"/>, but looks at every value each op writes and stops at the first that is not finite.</summary>
    /// <returns>Where it is; null where all are finite.</returns>
    public NonFinite? CheckForward()
    {
        Plan();
        return Check(_forward);
    }

    /// <summary>Like <see cref="Backward"/>, but looks at every value each op writes, gradients of parameters included, and stops at the
    /// first that is not finite.</summary>
    /// <returns>Where it is; null where all are finite.</returns>
    /// <exception cref="InvalidOperationException">The tape records no gradients.</exception>
    public NonFinite? CheckBackward()
    {
        RequireGradients();
        Plan();
        return Check(_backward);
    }

    private NonFinite? Check((Operation Operation, Pass Pass)[] passes)
    {
        foreach (var (operation, pass) in passes)
        {
            operation.Run(_kernels!, pass);
            var uses = operation.UsesOf(pass);
            foreach (var output in uses.Writes.OfType<Tensor>())
            {
                if (NonFiniteElement.In(output) is not { } element) continue;
                return new(operation.Name, pass == Pass.Backward ? "backward" : "forward", output.ToString(), element, Cause(uses));
            }
        }
        return null;
    }

    /// <summary>The first input that is not finite itself: a weight, a gradient given from outside.</summary>
    private static (string, NonFiniteElement)? Cause(Uses uses)
    {
        foreach (var input in uses.Reads.OfType<Tensor>().Where(input => !uses.Writes.Contains(input)))
        {
            if (NonFiniteElement.In(input) is { } element) return (input.ToString(), element);
        }
        return null;
    }
}

using Finery.Data.Batches;
using Finery.Tensors;

namespace Finery.Training.Losses.Branches;

/// <summary>One term of a loss: what it needs before a forward pass, and what it is after it.</summary>
internal abstract class ObjectivePart
{
    /// <summary>Fills what its tape reads.</summary>
    /// <param name="batch">The whole step.</param>
    /// <param name="first">First token of the micro-batch.</param>
    /// <returns>False where the term has no weight in this step: nothing need be computed.</returns>
    public abstract bool Load(PackedBatch batch, int first);

    /// <summary>After the forward pass: the micro-batch's part of the step's loss.</summary>
    public abstract double Evaluate(int first);

    /// <summary>Sum of losses times weights, in double precision.</summary>
    protected static double Sum(Tensor losses, Tensor weights)
    {
        Span<float> values = losses.Floats, factors = weights.Floats;
        double sum = 0;
        for (int i = 0; i < values.Length; i++) sum += values[i] * (double)factors[i];
        return sum;
    }
}

/// <summary>A term with a tape of its own that starts from the trunk's stream.</summary>
/// <param name="tape">The first branch of a pass writes the gradient of the stream, all others add to it.</param>
internal abstract class Branch(Tape tape) : ObjectivePart
{
    public Tape Tape => tape;
}

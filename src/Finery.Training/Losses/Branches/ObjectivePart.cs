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

    /// <summary>After the forward pass: what cross-entropies add to the step's loss. Their mean becomes a figure, and a z-loss in them
    /// another.</summary>
    /// <param name="loss">Takes the figures.</param>
    /// <param name="figure">Which, for the mean.</param>
    /// <param name="first">First token of the micro-batch.</param>
    /// <param name="targets">How many there are in the step.</param>
    /// <param name="losses">[N].</param>
    /// <param name="logSums">[N] where they have a z-loss too.</param>
    /// <param name="weights">[N].</param>
    protected static double CrossEntropy(
        BranchedLoss loss, int figure, int first, int targets, Tensor losses, Tensor? logSums, Tensor weights)
    {
        loss.TakeOutZLoss(first, losses, logSums, weights);
        double sum = 0;
        foreach (float value in losses.Floats) sum += value;
        loss.Note(figure, first, targets == 0 ? 0 : sum / targets);
        return Sum(losses, weights);
    }
}

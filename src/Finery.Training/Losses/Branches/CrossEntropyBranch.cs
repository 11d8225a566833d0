using Finery.Data.Batches;
using Finery.Tensors;
using Finery.Training.Losses.MultiToken;

namespace Finery.Training.Losses.Branches;

/// <summary>Cross-entropy of a token ahead: mean over all its targets in the step, whatever the micro-batches.</summary>
/// <param name="loss">Takes the figure.</param>
/// <param name="figure">Which.</param>
/// <param name="shift">0 for the next token, 1 for the one after it.</param>
/// <param name="weight">Of this term in the step in progress.</param>
/// <param name="tape">From the stream to <paramref name="losses"/>.</param>
/// <param name="targets">I32 [N].</param>
/// <param name="tokenWeights">[N].</param>
/// <param name="losses">[N].</param>
/// <param name="logSums">[N] where they have a z-loss too.</param>
internal sealed class CrossEntropyBranch(
    BranchedLoss loss, int figure, int shift, Func<double> weight, Tape tape, Tensor targets, Tensor tokenWeights, Tensor losses,
    Tensor? logSums = null) : Branch(tape)
{
    private int _count;

    public override bool Load(PackedBatch batch, int first)
    {
        double scale = weight();
        // The next token always counts: it starts the stream's gradient, and its figure is wanted.
        if (scale == 0 && shift > 0)
        {
            loss.Note(figure, first, double.NaN);
            return false;
        }
        _count = ShiftedTargets.Load(batch, first, shift, scale, targets.Integers, tokenWeights.Floats);
        return true;
    }

    public override double Evaluate(int first) => CrossEntropy(loss, figure, first, _count, losses, logSums, tokenWeights);
}

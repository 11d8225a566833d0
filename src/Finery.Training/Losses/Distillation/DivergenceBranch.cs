using Finery.Data.Batches;
using Finery.Tensors;
using Finery.Training.Losses.Branches;

namespace Finery.Training.Losses.Distillation;

/// <summary>The divergence from the teacher, mean over all targets of the step.</summary>
internal sealed class DivergenceBranch(DistillationLoss loss, Tape tape, Tensor weights, Tensor divergences) : Branch(tape)
{
    public override bool Load(PackedBatch batch, int first)
    {
        loss.Note(2, first, first == 0 ? loss.Alpha : 0);
        if (loss.Alpha == 0)
        {
            loss.Note(1, first, double.NaN);
            return false;
        }
        var values = weights.Floats;
        for (int i = 0; i < values.Length; i++) values[i] = (float)(loss.Alpha * batch.Weights[first + i]);
        return true;
    }

    public override double Evaluate(int first)
    {
        double sum = Sum(divergences, weights);
        loss.Note(1, first, sum / loss.Alpha);
        return sum;
    }
}

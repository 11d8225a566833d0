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

/// <summary>Distance of hidden states from the teacher's, recorded on the trunk: a mean over layers and targets.</summary>
/// <param name="loss">Takes the figure.</param>
/// <param name="first">Whether it is the first of the layers.</param>
/// <param name="weight">Of this layer.</param>
/// <param name="weights">[N].</param>
/// <param name="distances">[N].</param>
internal sealed class FeaturePart(DistillationLoss loss, bool first, double weight, Tensor weights, Tensor distances) : ObjectivePart
{
    private const int Figure = 3;

    public override bool Load(PackedBatch batch, int firstToken)
    {
        var values = weights.Floats;
        for (int i = 0; i < values.Length; i++) values[i] = (float)(weight * batch.Weights[firstToken + i]);
        return true;
    }

    public override double Evaluate(int firstToken)
    {
        double sum = Sum(distances, weights);
        // The figure begins anew with the first layer of the first micro-batch.
        loss.Note(Figure, first ? firstToken : int.MaxValue, weight == 0 ? double.NaN : sum);
        return sum;
    }
}

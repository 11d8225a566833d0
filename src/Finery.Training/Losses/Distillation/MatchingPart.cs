using Finery.Data.Batches;
using Finery.Tensors;
using Finery.Training.Losses.Branches;

namespace Finery.Training.Losses.Distillation;

/// <summary>How far one layer is from the teacher's, recorded on the trunk: a mean over layers and targets.</summary>
/// <param name="loss">Takes the figure.</param>
/// <param name="figure">Which.</param>
/// <param name="first">Whether it is the first of the layers.</param>
/// <param name="weight">Of this layer.</param>
/// <param name="weights">[N].</param>
/// <param name="distances">[N].</param>
internal sealed class MatchingPart(DistillationLoss loss, int figure, bool first, double weight, Tensor weights, Tensor distances)
    : ObjectivePart
{
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
        loss.Note(figure, first ? firstToken : int.MaxValue, weight == 0 ? double.NaN : sum);
        return sum;
    }
}

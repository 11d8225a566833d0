using Finery.Data.Batches;

namespace Finery.Training.Losses.Branches;

/// <summary>A loss of several terms, each with a figure of its own: those whose weight is zero in a step are not computed, and their figure
/// is NaN.</summary>
/// <param name="zLoss">lambda of the z-loss of the next token's logits, which has the weight of its cross-entropy and the last figure.</param>
/// <param name="names">Of the other figures, the next token's first.</param>
internal abstract class BranchedLoss(double zLoss, params string[] names) : TrainingLoss
{
    private readonly NextTokenLoss _next = new((float)zLoss);
    private readonly string[] _names = zLoss > 0 ? [.. names, NextTokenLoss.ZLossName] : names;
    private readonly double[] _figures = new double[names.Length + (zLoss > 0 ? 1 : 0)];

    public override bool WeightsKnown => true;

    public override float ZLoss => _next.ZLoss;

    public override IReadOnlyList<string> MetricNames => _names;

    public override ReadOnlySpan<double> Metrics => _figures;

    /// <summary>Adds a micro-batch's part to a figure.</summary>
    /// <param name="figure">Which.</param>
    /// <param name="first">First token of the micro-batch: the figure begins anew at 0.</param>
    /// <param name="value">The part; NaN where the term is not computed.</param>
    public void Note(int figure, int first, double value) => _figures[figure] = first == 0 ? value : _figures[figure] + value;

    protected internal override void NoteZLoss(int first, double sum) => Note(_figures.Length - 1, first, sum);

    public override void Prepare(PackedBatch batch, int first, Span<float> weights) => _next.Prepare(batch, first, weights);

    public override double Evaluate(PackedBatch batch, int first, ReadOnlySpan<float> losses, Span<float> weights) =>
        _next.Evaluate(batch, first, losses, weights);
}

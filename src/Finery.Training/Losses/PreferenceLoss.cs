using System.Globalization;
using Finery.Data.Batches;

namespace Finery.Training.Losses;

/// <summary>Settings of <see cref="PreferenceLoss"/>; the defaults are those of Llama 3 (post-training reference 4.1).</summary>
public sealed record PreferenceLossSettings
{
    /// <summary>How strongly the policy is held to the reference.</summary>
    public double Beta { get; init; } = 0.1;

    /// <summary>Probability that a pair is labelled the wrong way round (conservative DPO).</summary>
    public double Smoothing { get; init; }

    /// <summary>Weight of the mean cross-entropy of the chosen completion, which keeps its probability from falling; 0 for plain DPO.</summary>
    public double ChosenWeight { get; init; } = 0.2;

    /// <summary>Left out of the preference term at the end of both completions, since both have it and would pull it both ways; the
    /// cross-entropy keeps it. Null to leave nothing out.</summary>
    public int? EndToken { get; init; }

    /// <summary>Everything wrong with these settings; empty where nothing is.</summary>
    public IEnumerable<string> Validate()
    {
        if (!(Beta > 0)) yield return $"beta is {Beta}; it must be positive.";
        if (!(Smoothing is >= 0 and < 0.5)) yield return $"smoothing is {Smoothing}; expected 0 to below 0.5.";
        if (!(ChosenWeight >= 0)) yield return $"the weight of the chosen completion is {ChosenWeight}; it must not be negative.";
    }
}

/// <summary>Direct preference optimisation over batches of pairs, mean over the pairs.</summary>
public sealed class PreferenceLoss : TrainingLoss
{
    private static readonly string[] Names =
    [
        "rewards/chosen", "rewards/rejected", "rewards/margin", "rewards/accuracy", "logps/chosen", "logps/rejected", "nll/chosen",
    ];

    private readonly PreferenceLossSettings _settings;
    private readonly ReferenceLogProbabilities _reference;
    private readonly double[] _metrics = new double[Names.Length];

    /// <param name="settings">Checked here.</param>
    /// <param name="reference">Of the model the training starts from.</param>
    /// <exception cref="ArgumentException">A setting is impossible, or the reference leaves out other tokens.</exception>
    public PreferenceLoss(PreferenceLossSettings settings, ReferenceLogProbabilities reference)
    {
        string[] errors = [.. settings.Validate()];
        if (errors.Length > 0) throw new ArgumentException("Preference loss: " + string.Join(" ", errors), nameof(settings));
        if (reference.EndToken != settings.EndToken)
        {
            throw new ArgumentException(
                $"The reference leaves out end token {reference.EndToken}, the loss {settings.EndToken}.", nameof(reference));
        }
        (_settings, _reference) = (settings, reference);
    }

    /// <inheritdoc/>
    public override string Description => string.Create(
        CultureInfo.InvariantCulture,
        $"preference beta={_settings.Beta} smoothing={_settings.Smoothing} chosen={_settings.ChosenWeight} end={_settings.EndToken}");

    /// <inheritdoc/>
    public override bool WeightsKnown => false;

    /// <inheritdoc/>
    public override IReadOnlyList<string> MetricNames => Names;

    /// <inheritdoc/>
    public override ReadOnlySpan<double> Metrics => _metrics;

    /// <inheritdoc/>
    public override void Check(IBatchSource source)
    {
        if (source.Fingerprint != _reference.Source)
            throw new ArgumentException("The reference log-probabilities were computed on other preference pairs.", nameof(source));
    }

    /// <inheritdoc/>
    public override void Prepare(PackedBatch batch, int first, Span<float> weights)
    {
    }

    /// <inheritdoc/>
    public override double Evaluate(PackedBatch batch, int first, ReadOnlySpan<float> losses, Span<float> weights)
    {
        if (batch is not PreferenceBatch pairs) throw new ArgumentException("A preference loss needs batches of pairs.", nameof(batch));
        if (losses.Length != batch.Count) throw new ArgumentException("Preference pairs cannot be cut into micro-batches.", nameof(losses));
        weights.Clear();
        Array.Clear(_metrics);
        double total = 0;
        int count = pairs.Chosen.Length;
        for (int i = 0; i < count; i++)
        {
            CompletionSpan chosen = pairs.Chosen[i], rejected = pairs.Rejected[i];
            int chosenEnd = _reference.ScoredEnd(batch, chosen), rejectedEnd = _reference.ScoredEnd(batch, rejected);
            var (referenceChosen, referenceRejected) = _reference.Of(pairs.Examples[i]);
            var pair = new PairLogProbabilities(
                -Sum(losses, chosen.Start, chosenEnd), -Sum(losses, rejected.Start, rejectedEnd), referenceChosen, referenceRejected);
            double nll = Sum(losses, chosen.Start, chosen.End) / chosen.Length;
            total += DirectPreference.Sigmoid(pair, _settings.Beta, _settings.Smoothing) + _settings.ChosenWeight * nll;

            // Log-probabilities are minus cross-entropies: the slope changes its sign.
            float slope = (float)(-DirectPreference.SigmoidSlope(pair, _settings.Beta, _settings.Smoothing) / count);
            float each = (float)(_settings.ChosenWeight / chosen.Length / count);
            weights[chosen.Start..chosenEnd].Fill(slope);
            weights[rejected.Start..rejectedEnd].Fill(-slope);
            for (int t = chosen.Start; t < chosen.End; t++) weights[t] += each;
            Count(pair, nll, count);
        }
        return total / count;
    }

    private void Count(in PairLogProbabilities pair, double nll, int count)
    {
        ReadOnlySpan<double> values =
        [
            _settings.Beta * pair.ChosenGain, _settings.Beta * pair.RejectedGain, _settings.Beta * pair.Margin,
            pair.Margin > 0 ? 1 : 0, pair.PolicyChosen, pair.PolicyRejected, nll,
        ];
        for (int i = 0; i < values.Length; i++) _metrics[i] += values[i] / count;
    }

    private static double Sum(ReadOnlySpan<float> losses, int start, int end)
    {
        double sum = 0;
        for (int t = start; t < end; t++) sum += losses[t];
        return sum;
    }
}

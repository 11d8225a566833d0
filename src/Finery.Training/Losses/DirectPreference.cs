namespace Finery.Training.Losses;

/// <summary>One preference pair under the policy and the frozen reference: sums of token log-probabilities.</summary>
/// <param name="PolicyChosen">Policy, chosen answer.</param>
/// <param name="PolicyRejected">Policy, rejected answer.</param>
/// <param name="ReferenceChosen">Reference, chosen answer.</param>
/// <param name="ReferenceRejected">Reference, rejected answer.</param>
public readonly record struct PairLogProbabilities(
    double PolicyChosen, double PolicyRejected, double ReferenceChosen, double ReferenceRejected)
{
    /// <summary><c>c</c>: how much likelier than under the reference the chosen answer became.</summary>
    public double ChosenGain => PolicyChosen - ReferenceChosen;

    /// <summary><c>r</c>: the same of the rejected answer.</summary>
    public double RejectedGain => PolicyRejected - ReferenceRejected;

    /// <summary><c>d = c - r</c>.</summary>
    public double Margin => ChosenGain - RejectedGain;
}

/// <summary>Direct preference optimisation (Rafailov et al. 2023; variants as in post-training reference 4.1), as functions of one pair.</summary>
public static class DirectPreference
{
    /// <summary><c>-(1 - e) ln sigmoid(b d) - e ln sigmoid(-b d)</c>: DPO, with label smoothing e the conservative form.</summary>
    public static double Sigmoid(in PairLogProbabilities pair, double beta, double smoothing = 0) =>
        -(1 - smoothing) * LogSigmoid(beta * pair.Margin) - smoothing * LogSigmoid(-beta * pair.Margin);

    /// <summary>Derivative of <see cref="Sigmoid"/> by the policy's chosen log-probability; by the rejected one it is the negative.</summary>
    public static double SigmoidSlope(in PairLogProbabilities pair, double beta, double smoothing = 0) =>
        -beta * (Logistic(-beta * pair.Margin) - smoothing);

    /// <summary>Unbiased under label noise e: <c>[-(1 - e) ln sigmoid(b d) + e ln sigmoid(-b d)] / (1 - 2 e)</c>.</summary>
    public static double Robust(in PairLogProbabilities pair, double beta, double smoothing) =>
        (-(1 - smoothing) * LogSigmoid(beta * pair.Margin) + smoothing * LogSigmoid(-beta * pair.Margin)) / (1 - 2 * smoothing);

    /// <summary><c>max(0, 1 - b d)</c>.</summary>
    public static double Hinge(in PairLogProbabilities pair, double beta) => Math.Max(0, 1 - beta * pair.Margin);

    /// <summary><see cref="Sigmoid"/> of the gains per token (Tulu 3), so that long answers weigh no more.</summary>
    public static double SigmoidPerToken(in PairLogProbabilities pair, int chosenTokens, int rejectedTokens, double beta) =>
        -LogSigmoid(beta * (pair.ChosenGain / chosenTokens - pair.RejectedGain / rejectedTokens));

    /// <summary><c>ln(1 / (1 + e^-x))</c> without overflow.</summary>
    public static double LogSigmoid(double x) => Math.Min(x, 0) - Math.Log(1 + Math.Exp(-Math.Abs(x)));

    private static double Logistic(double x) => x >= 0 ? 1 / (1 + Math.Exp(-x)) : Math.Exp(x) / (1 + Math.Exp(x));
}

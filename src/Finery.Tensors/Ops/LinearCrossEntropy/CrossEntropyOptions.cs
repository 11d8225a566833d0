namespace Finery.Tensors;

/// <summary>A smooth bound on logits.</summary>
public enum SoftcapCurve
{
    /// <summary><c>c tanh(z / c)</c>.</summary>
    Tanh,

    /// <summary><c>c z / sqrt(z^2 + c^2)</c>: inverse square root unit.</summary>
    InverseSquareRoot,
}

/// <summary>Additions to the cross-entropy of the output head (pretraining reference 1.4); the default has none and costs nothing.</summary>
/// <param name="ZLoss">lambda: every loss gains <c>lambda logsumexp(z)^2</c>, of the true log-sum-exp; usually 1e-4, 0 for none.</param>
/// <param name="Softcap">c: logits are bounded to (-c, c) before anything else; 0 for none.</param>
/// <param name="Curve">How they are bounded.</param>
public readonly record struct CrossEntropyOptions(float ZLoss = 0, float Softcap = 0, SoftcapCurve Curve = SoftcapCurve.Tanh)
{
    /// <summary>The bounded logit.</summary>
    internal double Cap(double z) => Softcap == 0 ? z
        : Curve == SoftcapCurve.Tanh ? Softcap * Math.Tanh(z / Softcap)
        : z / Math.Sqrt(1 + z / Softcap * (z / Softcap));

    /// <summary>Derivative of <see cref="Cap"/> where it has the value <paramref name="capped"/>.</summary>
    internal double Slope(double capped)
    {
        if (Softcap == 0) return 1;
        double slack = 1 - capped / Softcap * (capped / Softcap);
        return Curve == SoftcapCurve.Tanh ? slack : slack * Math.Sqrt(slack);
    }
}

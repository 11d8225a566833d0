namespace Finery.Tensors;

/// <summary>How a head is compared with a few targets of each row (pretraining reference 4.2).</summary>
/// <param name="Temperature">tau: the divergence is between softmax(z / tau) and the targets, and multiplied by tau^2.</param>
/// <param name="Remainder">Whether what the targets leave over is compared too, as one bucket: <c>r = 1 - sum p_k</c> against
/// <c>R = 1 - sum q_k</c>. Only at temperature 1, and for rows whose ids are distinct.</param>
public readonly record struct SparseTargetOptions(float Temperature = 1, bool Remainder = false)
{
    /// <summary>Z-loss, which belongs to the cross-entropy, and softcap, which comes before anything else.</summary>
    public CrossEntropyOptions Head { get; init; }
}

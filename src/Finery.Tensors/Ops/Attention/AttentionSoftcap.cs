using System.Runtime.CompilerServices;

namespace Finery.Tensors;

/// <summary>Passes over one row of attention scores under a softcap; rows are whole vectors long.</summary>
internal static unsafe class AttentionSoftcap
{
    /// <summary>Bounds scores in place: <c>c tanh(s / c)</c>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Bound<W, V>(float* scores, int length, float cap) where W : struct, IWidth<V> where V : struct
    {
        for (int i = 0; i < length; i += W.Count) W.Store(SoftcapRow.Tanh<W, V>(W.Load(scores + i), cap), scores + i);
    }

    /// <summary>Scores, not yet bounded, to probabilities, and dP to dS, in place.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Backward<W, V>(float* scores, float* dScores, int length, float logSumExp, float delta, float cap)
        where W : struct, IWidth<V> where V : struct
    {
        V shift = W.Broadcast(logSumExp), deltas = W.Broadcast(delta), scale = W.Broadcast(1 / cap), one = W.Broadcast(1);
        for (int i = 0; i < length; i += W.Count)
        {
            V bounded = SoftcapRow.Tanh<W, V>(W.Load(scores + i), cap), u = W.Multiply(bounded, scale);
            V probability = W.Exp(W.Subtract(bounded, shift));
            V slope = W.Multiply(W.Subtract(one, u), W.Add(one, u));
            W.Store(probability, scores + i);
            W.Store(W.Multiply(slope, W.Multiply(probability, W.Subtract(W.Load(dScores + i), deltas))), dScores + i);
        }
    }
}
